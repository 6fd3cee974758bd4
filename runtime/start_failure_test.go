package runtime_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/logfile"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
)

// failed is a start that fails: in which way, and what its error must hold, the
// command's own last words among it.
type failed struct {
	what string
	way  runtime.Way
	want []string
}

// startsAnew are failed starts of new sandboxes, by the body of the profile. None
// is waited for: where a probe would give it time, that is ten minutes. Those that
// end a machine, and so take a boot each, are tried in one by two of their kind.
var startsAnew = []struct {
	failed
	profile string
}{
	{failed{"at once with an error", runtime.EndedEarly, []string{"/bin/sh ended", "exit code 3", "| its last line"}},
		`run: {argv: ["/bin/sh", "-c", "echo its last line >&2; exit 3"]}`},
	{failed{"at once with success", runtime.EndedEarly, []string{"exit code 0", "| forked into background", "stay in the foreground: nginx does with -g 'daemon off;'"}},
		`run: {argv: ["/broken/nginx"], restart: "on-failure"}, mounts: "/broken": host: BROKEN`},
	{failed{"with many words", runtime.EndedEarly, []string{"| line 30", `\x1b]0;owned\a and    a tab`}},
		`run: {argv: ["/bin/sh", "-c", "seq -f 'line %.0f' 30; printf '\\033]0;owned\\a and\\ta tab'; exit 1"]}`},
	{failed{"before it is ready", runtime.EndedEarly, []string{"exit code 4", "| half way"}},
		`run: {argv: ["/bin/sh", "-c", "echo half way; sleep 0.3; exit 4"], ready: {tcp: 1, timeout: "10m"}}`},
	{failed{"again and again", runtime.Looping, []string{"5 times in a row", "exit code 5", "| once more"}},
		`run: {argv: ["/bin/sh", "-c", "echo once more; exit 5"], ready: {tcp: 1, timeout: "10m"}, restart: "always"}`},
	{failed{"a program that is not there", runtime.NotStarted, []string{"/no/such does not exist inside", "expose"}},
		`run: {argv: ["/no/such"], ready: {tcp: 1, timeout: "10m"}, restart: "always"}`},
	{failed{"a file that is no program", runtime.NotStarted, []string{"cannot execute /broken/text", "neither a program"}},
		`run: {argv: ["/broken/text"], restart: "always"}, mounts: "/broken": host: BROKEN`},
	{failed{"a user that is not there", runtime.NotStarted, []string{`the user "stranger" is not in`, "/etc/passwd"}},
		`run: {argv: ["/bin/sleep", "100"], user: "stranger", restart: "always"}`},
	{failed{"a library that is not there", runtime.EndedEarly, []string{"exit code 127", "| /broken/library: error while loading shared libraries: libz.so.6", "ldd"}},
		`run: {argv: ["/broken/library"]}, mounts: "/broken": host: BROKEN`},
	{failed{"more memory than it may use", runtime.EndedEarly, []string{"killed by signal 9 SIGKILL", "| filling", "resources.memory gives it 32MiB"}},
		`run: {argv: ["/bin/sh", "-c", FILL]}, resources: memory: "32MiB"`},
	{failed{"a sandbox of its own", runtime.EndedEarly, []string{"exit code 1", "| bwrap: No permissions to create new namespace", "nested: true"}},
		`run: {argv: ["/usr/bin/bwrap", "--unshare-all", "--ro-bind", "/usr", "/usr", "/usr/bin/true"]}`},
	{failed{"by a signal", runtime.EndedEarly, []string{"killed by signal 11 SIGSEGV", "| boom"}},
		`run: {argv: ["/bin/sh", "-c", "echo boom; kill -SEGV $$"]}`},
	{failed{"a probe that never succeeds", runtime.NotReady, []string{"not ready within 300ms", "connection refused", "| still loading"}},
		`run: {argv: ["/bin/sh", "-c", "echo still loading; exec sleep 100"], ready: {tcp: 1, timeout: "300ms"}, restart: "always"}`},
}

// fill writes to ever more memory, as "sh -c" of perl, which every Debian has.
const fill = `#"echo filling; exec perl -e '$x .= "x" x 1000000 while 1'"#`

const failingHead = `package failing

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "failing"
	backend: "BACKEND"
	expose: ["/usr"]
`

// failingProfile is the profile with the body.
func failingProfile(backend, body, broken string) string {
	return strings.NewReplacer("BACKEND", backend, "BROKEN", fmt.Sprintf("%q", broken), "FILL", fill).Replace(failingHead + strings.ReplaceAll(body, "}, ", "}\n") + "\n}\n")
}

// brokenPrograms is a folder with programs that cannot run.
func brokenPrograms(t *testing.T) string {
	t.Helper()
	dir := sharedDir(t)
	whole, err := os.ReadFile("/usr/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	library := []byte(strings.ReplaceAll(string(whole), "libc.so.6\x00", "libz.so.6\x00"))
	for name, data := range map[string][]byte{"text": []byte("neither\n"), "nginx": []byte("#!/bin/sh\necho forked into background\n"), "library": library} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// check checks the error of a start that failed.
func (c failed) check(t *testing.T, err error) {
	t.Helper()
	failure := new(runtime.StartFailure)
	if !errors.As(err, &failure) || failure.Way != c.way {
		t.Errorf("got %v, want a start that failed: %s", err, c.way)
		return
	}
	for _, part := range c.want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %v\nwant something with %q", err, part)
		}
	}
	if n := strings.Count(err.Error(), "\n    | "); n > 10 || strings.ContainsAny(err.Error(), "\x1b\a") {
		t.Errorf("%d lines, or escapes, are shown:\n%v", n, err)
	}
}

// Whatever keeps the command of a new sandbox from running is said, and nothing
// stays of it.
func TestStartsThatFail(t *testing.T) {
	testhost.Need(t)
	r, broken := newRuntime(t), brokenPrograms(t)
	inMachine := []string{"at once with an error", "a user that is not there"}
	for _, c := range startsAnew {
		for _, backend := range sandboxes {
			if backend == "lxc" || slices.Contains(inMachine, c.what) {
				t.Run(backend+" "+c.what, func(t *testing.T) { c.startsAnew(t, r, failingProfile(backend, c.profile, broken)) })
			}
		}
	}
	t.Run("lxc a first process that ends", func(t *testing.T) {
		o := machineOptions(t)
		o.Init = hostileInit(t, "end")
		r := runtime.New(o)
		defer r.Close()
		failed{"", runtime.Lost, []string{"first process has ended", "dmesg"}}.startsAnew(t, r, failingProfile("lxc", `run: argv: ["/bin/true"]`, ""))
	})
}

// A secret that is not there keeps a sandbox from being made or changed: what runs
// runs on.
func TestASecretThatIsNotThere(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	upFails := func() {
		t.Helper()
		_, err := r.Up(t.Context(), compileText(t, failingProfile("lxc", `run: argv: ["/bin/sleep", "200"]
	secrets: token: env: "SBX_NO_SUCH_TOKEN"`, "")))
		if err == nil || !strings.Contains(err.Error(), "secrets.token: sbx was not given the environment variable SBX_NO_SUCH_TOKEN") {
			t.Errorf("got %v", err)
		}
	}
	upFails()
	checkGone(t, r, "/var/lib/sbx/failing")
	before := compileText(t, failingProfile("lxc", `run: argv: ["/bin/sleep", "100"]`, ""))
	up(t, r, before)
	upFails()
	if result, err := r.Up(t.Context(), before); err != nil || !result.Unchanged() {
		t.Errorf("what ran is no longer as it was: %+v, %v", result, err)
	}
}

// startsAnew starts a new sandbox, which must fail and leave nothing.
func (c failed) startsAnew(t *testing.T, r *runtime.Runtime, profile string) {
	t.Helper()
	_, err := r.Up(t.Context(), compileText(t, profile))
	c.check(t, err)
	checkGone(t, r, "/var/lib/sbx/failing")
}

// A changed sandbox, and a new one where that is asked for, stay stopped: with
// their log and their end, and without anybody being blamed for it.
func TestAFailedStartIsKept(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	works := compileText(t, failingProfile("lxc", `run: argv: ["/bin/sleep", "100"]`, ""))
	fails := compileText(t, failingProfile("lxc", startsAnew[0].profile, ""))
	t.Cleanup(func() { r.Down(t.Context(), "failing") })
	for _, c := range []struct {
		what string
		up   func() error
	}{
		{"new", func() error { _, err := r.Up(t.Context(), fails, runtime.KeepFailed); return err }},
		{"changed", func() error {
			if _, err := r.Up(t.Context(), works); err != nil {
				t.Fatal(err)
			}
			_, err := r.Up(t.Context(), fails)
			return err
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			failed{c.what, runtime.EndedEarly, []string{"| its last line", "failing is stopped now", "sbx logs failing"}}.check(t, c.up())
			checkKept(t, r)
		})
	}
}

// checkKept checks what a failed start has left.
func checkKept(t *testing.T, r *runtime.Runtime) {
	t.Helper()
	var lines []string
	err := r.Logs(t.Context(), "failing", time.Time{}, false, func(l logfile.Line) error { lines = append(lines, l.Text); return nil })
	if err != nil || !slices.Contains(lines, "its last line") {
		t.Errorf("the log has %q (%v)", lines, err)
	}
	if end, err := r.Wait(t.Context(), "failing"); err != nil || end.Exit == nil || end.Exit.Code != 3 {
		t.Errorf("its end is %+v (%v)", end, err)
	}
	if found, err := r.Drift(nil); len(found) != 0 || err != nil {
		t.Errorf("drift: %v (%v)", found, err)
	}
}

// restarts are failed starts of a command that a sandbox has already, by the
// script that it has become.
var restarts = []struct {
	failed
	script string
}{
	{failed{"with an error", runtime.Looping, []string{"5 times in a row", "exit code 3", "| its last line"}}, "echo its last line >&2; exit 3"},
	{failed{"with success", runtime.Looping, []string{"exit code 0", "| forked", "stay in the foreground"}}, "echo forked"},
	{failed{"a library", runtime.Looping, []string{"exit code 127", "libz.so.6", "ldd"}}, "exec /broken/library"},
	{failed{"memory", runtime.Looping, []string{"SIGKILL", "| filling", "resources.memory gives it MEMORY"}}, `echo filling; exec tail /dev/zero`},
	{failed{"a signal", runtime.Looping, []string{"killed by signal 11 SIGSEGV", "| boom"}}, "echo boom; kill -SEGV $$"},
	{failed{"an end before it is ready", runtime.Looping, []string{"5 times in a row before it was ready", "exit code 4", "| nearly there"}}, "sleep 0.2; echo nearly there; exit 4"},
	{failed{"no program", runtime.NotStarted, []string{"cannot execute /broken/command: permission denied"}}, notExecutable},
	{failed{"not there", runtime.NotStarted, []string{"/broken/command does not exist"}}, ""},
	{failed{"never ready", runtime.NotReady, []string{"not ready within 6s", "| still loading"}}, "echo still loading; exec sleep 100"},
}

// within is the time that a command has until it is ready: short where it is to run out,
// and else long, since a machine whose memory fills up reads its programs anew all along.
func within(way runtime.Way) string {
	if way == runtime.NotReady {
		return "6s"
	}
	return "1m"
}

// One sandbox of each kind goes through the failures, one after the other, since a
// machine's boot takes seconds; what ends the machine itself boots one each.
func TestRestartsThatFail(t *testing.T) {
	testhost.Need(t)
	for _, backend := range sandboxes {
		t.Run(backend, func(t *testing.T) {
			r, broken := newRuntime(t), brokenPrograms(t)
			ready := filepath.Join(broken, "ready")
			memory := map[string]string{"lxc": "48MiB", "kvm": "144MiB"}[backend]
			has := ""
			for _, c := range restarts {
				if need := within(c.way); need != has {
					become(t, broken, "exec sleep 100", ready)
					up(t, r, compileText(t, failingProfile(backend, `run: {argv: ["/broken/command"], ready: {file: "/broken/ready", timeout: "`+need+`"}, restart: "always"}
	mounts: "/broken": host: BROKEN
	resources: memory: "`+memory+`"`, broken)))
					if err := os.Remove(ready); err != nil {
						t.Fatal(err)
					}
					has = need
				}
				t.Run(c.what, func(t *testing.T) {
					become(t, broken, c.script)
					c.want = strings.Split(strings.ReplaceAll(strings.Join(c.want, "\n"), "MEMORY", memory), "\n")
					c.check(t, r.Restart(t.Context(), "failing"))
				})
			}
			become(t, broken, "exec sleep 100", ready)
			if err := r.Restart(t.Context(), "failing"); err != nil {
				t.Errorf("mended, it still fails: %v", err)
			}
		})
	}
}

// notExecutable in a script's place makes a command of which nothing may be executed.
const notExecutable = "not executable"

// become makes the script the command of the sandbox; without one there is none.
// Further files are made empty.
func become(t *testing.T, dir, script string, files ...string) {
	t.Helper()
	for _, file := range files {
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	command := filepath.Join(dir, "command")
	if script == "" {
		if err := os.Remove(command); err != nil {
			t.Fatal(err)
		}
		return
	}
	mode := os.FileMode(0o755)
	if script == notExecutable {
		mode = 0o644
	}
	if err := os.WriteFile(command+".new", []byte("#!/bin/sh\n"+script+"\n"), mode); err != nil {
		t.Fatal(err)
	}
	if err := unix.Rename(command+".new", command); err != nil {
		t.Fatal(err)
	}
}
