package main

import (
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// steps are scripts to prepare a service.
func steps(scripts ...string) (list []manifest.Step) {
	for _, script := range scripts {
		list = append(list, manifest.Step{Exec: shell(script), Timeout: patience.Milliseconds()})
	}
	return list
}

// What prepares a service runs to its end before each start, one after the other, as the
// user that it names, and is heard in the log.
func TestAServiceIsPrepared(t *testing.T) {
	t.Parallel()
	list := steps("echo first of $(id -u); echo x >>/tmp/starts; chmod 666 /tmp/starts", "echo second of $(id -u); echo y >>/tmp/starts")
	list[0].User = "root"
	s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{
		Argv: shell("echo third of $(id -u); [ $(wc -l </tmp/starts) = 4 ]"), Prepare: list, Restart: "on-failure", User: "1",
	}})
	out := s.output(t)()
	if last := s.ending(t)(); last.Exit == nil || *last.Exit != (channel.Exit{}) || last.Restarts != 1 {
		t.Errorf("%+v", last)
	}
	if want := strings.Repeat("first of 0\nsecond of 1\nthird of 1\n", 2); out != want {
		t.Errorf("it wrote %q, want %q", out, want)
	}
	s.ended(t)
}

// A step that fails is named with its end and its last words, and nothing after it runs.
func TestAServiceThatCannotBePreparedDoesNotStart(t *testing.T) {
	for name, c := range map[string]struct {
		step manifest.Step
		want string
	}{
		"it fails":        {steps("echo one; echo two; echo three >&2; exit 7")[0], "run.prepare[1], /bin/sh: it ended with exit code 7: "},
		"it says nothing": {steps("kill -9 $$")[0], "run.prepare[1], /bin/sh: it ended with killed by signal 9 SIGKILL, and wrote nothing"},
		"it is not there": {manifest.Step{Exec: []string{"/bin/nothing"}, Timeout: patience.Milliseconds()}, "run.prepare[1], /bin/nothing: it cannot start: /bin/nothing does not exist inside the sandbox"},
		"it hangs":        {manifest.Step{Exec: shell("echo waiting; sleep 1000"), Timeout: 500}, "run.prepare[1], /bin/sh: it took longer than 500ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{
				Argv: shell("echo the command"), Restart: "never",
				Prepare: append(steps("echo prepared"), c.step),
			}})
			out := s.output(t)()
			last := s.ending(t)()
			if last.Exit != nil || !strings.HasPrefix(last.Message, c.want) {
				t.Errorf("it ended with %v: %q, want %q", last.Exit, last.Message, c.want)
			}
			if !strings.HasPrefix(out, "prepared\n") || strings.Contains(out, "the command") {
				t.Errorf("it wrote %q", out)
			}
			s.ended(t)
		})
	}
}

// Whoever stops a service need not wait for what prepares it.
func TestAServiceIsStoppedWhileItIsPrepared(t *testing.T) {
	t.Parallel()
	s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{
		Argv: idle, Restart: "always", Prepare: steps("touch /tmp/preparing; sleep 1000"), StopTimeout: patience.Milliseconds(),
	}})
	s.await(t, "starting", func(now channel.Status) bool { return now.State == channel.Starting })
	end := s.ending(t)
	if err := s.Stop(t.Context(), func() {}); err != nil {
		t.Fatal(err)
	}
	if last := end(); last.PID != 0 || last.Exit != nil {
		t.Errorf("%+v", last)
	}
	s.ended(t)
}

// What an order ends leaves nothing behind for the next start.
func TestAServiceIsRestartedWhileItIsPrepared(t *testing.T) {
	t.Parallel()
	const first = `setsid sh -c 'echo $$ >/tmp/new; mv /tmp/new /tmp/left; exec sleep 1000' & wait`
	s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{
		Argv: shell(":"), Restart: "never",
		Prepare: steps("test -e /tmp/left || { " + first + "; }; grep -q '^State:.[^Z]' /proc/$(cat /tmp/left)/status 2>/dev/null && echo it is still there; :"),
	}})
	seen := func() bool {
		_, exit, err := s.exec(t, channel.Command{Argv: []string{"test", "-e", "/tmp/left"}})
		return err == nil && exit.Status() == 0
	}
	for limit := time.Now().Add(patience); !seen(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("it was never prepared")
		}
	}
	out := s.output(t)
	end := s.ending(t)
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if said := out(); said != "" {
		t.Errorf("it wrote %q", said)
	}
	if last := end(); last.Exit == nil || last.Exit.Status() != 0 {
		t.Errorf("%+v", last)
	}
	s.ended(t)
}

// The outcome of a reload is told: of a signal by what the service then answers, of a
// command by its end.
func TestAServiceIsReloaded(t *testing.T) {
	const reader = "trap 'cp /tmp/wanted /tmp/now || exit 5' HUP; echo $$ >/tmp/pid; touch /tmp/ready; while :; do sleep 0.05; done"
	const ready, never = "test -e /tmp/ready", "test -e /tmp/ready && test ! -e /tmp/asked"
	signal := &manifest.Reload{Signal: "HUP", Timeout: patience.Milliseconds()}
	command := func(script string) *manifest.Reload {
		return &manifest.Reload{Exec: shell(script), Timeout: patience.Milliseconds()}
	}
	for name, c := range map[string]struct {
		reload *manifest.Reload
		probe  string
		asked  string // a file that is there before
		want   string // what is wrong; empty: nothing
	}{
		"by a signal":               {signal, "test -e /tmp/ready && { test ! -e /tmp/wanted || test -e /tmp/now; }", "/tmp/wanted", ""},
		"by a signal, and it ends":  {signal, never, "/tmp/asked", "its command ended by it, with exit code 5"},
		"by a command":              {command("cp /tmp/wanted /tmp/now"), ready, "/tmp/wanted", ""},
		"by a command that fails":   {command("echo line 3: syntax; exit 2"), ready, "/tmp/wanted", "/bin/sh: it ended with exit code 2: line 3: syntax"},
		"by a command that ends it": {command("kill -KILL $(cat /tmp/pid)"), never, "/tmp/asked", "its command ended by it, with killed by signal 9 SIGKILL"},
		"in no way":                 {nil, ready, "/tmp/wanted", "its profile does not say how, by run.reload: sbx kill sends its command a signal, and sbx restart starts it anew"},
		"and takes too long":        {&manifest.Reload{Exec: shell("echo reading; sleep 1000"), Timeout: 500}, ready, "/tmp/wanted", "/bin/sh: it took longer than 500ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := manifest.Run{Argv: shell(reader), Reload: c.reload, Restart: "never", StopTimeout: 200}
			run.Ready = &manifest.Ready{Probe: manifest.Probe{Exec: shell(c.probe)}, Timeout: patience.Milliseconds()}
			s := start(t, manifest.Manifest{Service: true, Run: run})
			s.await(t, "ready", func(now channel.Status) bool { return now.State == channel.Ready })
			if _, exit, err := s.exec(t, channel.Command{Argv: []string{"touch", c.asked}}); err != nil || exit.Status() != 0 {
				t.Fatal(exit, err)
			}
			err := s.Reload(t.Context())
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if _, exit, err := s.exec(t, channel.Command{Argv: []string{"test", "-e", "/tmp/now"}}); err != nil || exit.Status() != 0 {
					t.Error("it did not read its configuration:", exit, err)
				}
				return
			}
			if got := failure(t, err).Message; !strings.HasPrefix(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// Commands have the limits of the manifest, the service's and others', whoever runs them.
// One that cannot be had is named.
func TestLimitsOfProcesses(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	limits := []manifest.Limit{
		{Name: "as", Soft: 512 * mib, Hard: 1024 * mib}, {Name: "core"}, {Name: "cpu", Soft: 100, Hard: 200}, {Name: "data", Soft: 256 * mib, Hard: 256 * mib},
		{Name: "fsize", Soft: mib, Hard: mib}, {Name: "memlock", Soft: 4096, Hard: 4096}, {Name: "msgqueue", Soft: 1000, Hard: 1000},
		{Name: "nofile", Soft: 20, Hard: 40}, {Name: "nproc", Soft: 3000, Hard: 3000}, {Name: "sigpending", Soft: 10, Hard: 10}, {Name: "stack", Soft: mib, Hard: mib},
	}
	const want = `as 536870912 1073741824
core 0 0
cpu 100 200
data 268435456 268435456
fsize 1048576 1048576
memlock 4096 4096
msgqueue 1000 1000
nofile 20 40
nproc 3000 3000
sigpending 10 10
stack 1048576 1048576
`
	show := shell(`prlimit --raw --noheadings -o RESOURCE,SOFT,HARD | tr A-Z a-z | grep -E '^(as|core|cpu|data|fsize|memlock|msgqueue|nofile|nproc|sigpending|stack) '`)
	for _, user := range []string{"root", "65534"} {
		s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{Argv: idle, User: user, Restart: "never", StopTimeout: 200, Limits: limits}})
		for _, who := range []string{"", "1"} {
			got, exit, err := s.exec(t, channel.Command{Argv: show, User: who})
			if err != nil || exit.Status() != 0 || squeezed(got) != want {
				t.Errorf("as %s: %v, %v\n%s", user, exit, err, got)
			}
		}
		if _, _, err := s.exec(t, channel.Command{Argv: []string{"/bin/nothing"}}); failure(t, err).Reason != channel.ReasonNotFound {
			t.Error(err)
		}
		if _, _, err := s.exec(t, channel.Command{Argv: []string{"/etc/passwd"}, User: "1"}); failure(t, err).Reason != channel.ReasonNotExecutable {
			t.Error(err)
		}
	}
}

// squeezed has one space between words.
func squeezed(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	return b.String()
}

// A limit beyond what the first process may have itself is an error that names it.
func TestALimitThatCannotBeHad(t *testing.T) {
	t.Parallel()
	s := start(t, manifest.Manifest{Run: manifest.Run{Argv: idle, Limits: []manifest.Limit{{Name: "nofile", Soft: 1 << 40, Hard: 1 << 40}}}})
	_, _, err := s.exec(t, channel.Command{Argv: []string{"/bin/true"}})
	if got := failure(t, err).Message; !strings.Contains(got, "resources.ulimits.nofile: it cannot have 1099511627776, and 1099511627776 at most") {
		t.Error(got)
	}
}
