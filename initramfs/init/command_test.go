package main

import (
	"bytes"
	"context"
	"strings"
	"syscall"
	"testing"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// The sandbox of a command ends with it, and is what the manifest says.
func TestACommandAndItsSandbox(t *testing.T) {
	s := start(t, manifest.Manifest{
		Hostname: "box",
		Ping:     true,
		Mounts:   []manifest.Mount{{Kind: manifest.Tmpfs, Target: "/tmp", Mode: 0o1733}},
		Run:      manifest.Run{Argv: []string{"/bin/false"}, Umask: 0o027, Capabilities: []string{"chown"}},
	})
	var out bytes.Buffer
	exit, err := s.Run(t.Context(), channel.Command{Env: []string{"MORE=1"}, Argv: shell(`
		hostname; umask; echo "$MORE $PATH"; stat -c %a /tmp
		grep -E '^(NoNewPrivs|Seccomp|CapBnd|CapEff):' /proc/self/status | tr '\t\n' '  '; echo
		grep -E '^(NoNewPrivs|Seccomp|CapBnd):' /proc/1/status | tr '\t\n' '  '; echo
		cat /proc/keys /proc/interrupts ` + manifest.ManifestPath + `
		ls /sys/firmware; tr '\t' ' ' </proc/sys/net/ipv4/ping_group_range
		grep -c MemTotal /proc/meminfo
		mount -t tmpfs none /tmp 2>&1 | grep -c -e denied -e permitted -e root; exit 9`)}, channel.Stdio{Stdout: &out, Stderr: &out})
	if err != nil || exit.Code != 9 {
		t.Fatalf("%v, %v", exit, err)
	}
	const want = "box\n0027\n1 /usr/bin:/bin\n1733\n" +
		"CapEff: 0000000000000001 CapBnd: 0000000000000001 NoNewPrivs: 1 Seccomp: 2 \n" +
		"CapBnd: 0000000000000001 NoNewPrivs: 1 Seccomp: 2 \n" +
		"0 65535\n1\n1\n"
	if out.String() != want {
		t.Errorf("inside:\n%s\nwant:\n%s", &out, want)
	}
	s.ended(t)
}

func TestACommandThatDoesNotStartSaysWhy(t *testing.T) {
	s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{Argv: idle, Restart: "never", StopTimeout: 1}})
	if _, exit, err := s.exec(t, channel.Command{Argv: shell("echo text >/tmp/text; echo '#!/no/such' >/tmp/script; printf junk >/tmp/junk; chmod +x /tmp/script /tmp/junk; mkdir -m 700 /tmp/closed")}); err != nil || exit.Status() != 0 {
		t.Fatal(exit, err)
	}
	for name, c := range map[string]struct {
		command channel.Command
		reason  channel.Reason
		message string
	}{
		"no such program":    {channel.Command{Argv: []string{"nosuch"}}, channel.ReasonNotFound, "nosuch is in no folder of PATH=/usr/bin:/bin"},
		"no such file":       {channel.Command{Argv: []string{"/tmp/nosuch"}}, channel.ReasonNotFound, "/tmp/nosuch does not exist"},
		"below a file":       {channel.Command{Argv: []string{"/tmp/text/x"}}, channel.ReasonNotFound, "/tmp/text/x does not exist"},
		"a folder":           {channel.Command{Argv: []string{"/tmp"}}, channel.ReasonNotExecutable, "/tmp is a folder"},
		"not executable":     {channel.Command{Argv: []string{"/tmp/text"}}, channel.ReasonNotExecutable, "permission denied"},
		"in PATH, and not":   {channel.Command{Argv: []string{"text"}, Env: []string{"PATH=/tmp"}}, channel.ReasonNotExecutable, "/tmp/text is not executable"},
		"no interpreter":     {channel.Command{Argv: []string{"/tmp/script"}}, channel.ReasonNotExecutable, "the interpreter or loader that it names does not exist"},
		"no program":         {channel.Command{Argv: []string{"/tmp/junk"}}, channel.ReasonNotExecutable, "neither a program for this machine nor a script"},
		"too long":           {channel.Command{Argv: []string{"true", strings.Repeat("x", 140<<10)}}, channel.ReasonNotExecutable, "the argument list is too long"},
		"no such folder":     {channel.Command{Argv: []string{"true"}, Workdir: "/nosuch"}, channel.ReasonFailed, "the working directory /nosuch does not exist"},
		"another's folder":   {channel.Command{Argv: []string{"true"}, Workdir: "/tmp/closed", User: "nobody"}, channel.ReasonFailed, "nobody may not enter the working directory /tmp/closed"},
		"no such user":       {channel.Command{Argv: []string{"true"}, User: "nosuch"}, channel.ReasonFailed, "nosuch"},
		"nothing":            {channel.Command{Argv: []string{""}}, channel.ReasonFailed, "no command is given"},
		"relative, and gone": {channel.Command{Argv: []string{"./nosuch"}, Workdir: "/tmp"}, channel.ReasonNotFound, "./nosuch does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := s.exec(t, c.command)
			if f := failure(t, err); f.Reason != c.reason || !strings.Contains(f.Message, c.message) {
				t.Errorf("%s: %q", f.Reason, f.Message)
			}
		})
	}
}

// A command that is run beside has its own user, folder, streams and signals.
func TestSessions(t *testing.T) {
	s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{Argv: idle, Restart: "never", StopTimeout: 1, Umask: 0o022, Capabilities: []string{"setuid", "setgid"}}})
	out, exit, err := s.exec(t, channel.Command{Argv: shell("id -un; pwd; echo $HOME; exit 5"), User: "nobody", Workdir: "/tmp"})
	if err != nil || exit.Code != 5 || !strings.HasPrefix(out, "nobody\n/tmp\n") {
		t.Errorf("%q, %v, %v", out, exit, err)
	}
	t.Run("input", func(t *testing.T) {
		var out bytes.Buffer
		exit, err := s.Exec(t.Context(), channel.Command{Argv: []string{"cat"}}, channel.Stdio{Stdin: strings.NewReader("through"), Stdout: &out})
		if err != nil || exit.Status() != 0 || out.String() != "through" {
			t.Errorf("%q, %v, %v", &out, exit, err)
		}
	})
	t.Run("signals", func(t *testing.T) {
		signals := make(chan syscall.Signal, 1)
		told := &teller{on: "set", tell: func() { signals <- syscall.SIGUSR1 }}
		exit, err := s.Exec(t.Context(), channel.Command{Argv: shell("trap 'exit 4' USR1; echo set; while :; do sleep 0.05; done")}, channel.Stdio{Stdout: told, Signals: signals})
		if err != nil || exit.Code != 4 {
			t.Errorf("%v, %v", exit, err)
		}
	})
	t.Run("a terminal", func(t *testing.T) {
		var out bytes.Buffer
		exit, err := s.Exec(t.Context(), channel.Command{Argv: shell("stty size; tty"), TTY: &channel.Size{Rows: 7, Cols: 33}}, channel.Stdio{Stdout: &out})
		if err != nil || exit.Status() != 0 || !strings.HasPrefix(out.String(), "7 33\r\n/dev/pts/") {
			t.Errorf("%q, %v, %v", &out, exit, err)
		}
	})
	t.Run("a host that leaves", func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		_, err := s.Exec(ctx, channel.Command{Argv: shell("echo here; exec sleep 1000")}, channel.Stdio{Stdout: &teller{on: "here", tell: leave}})
		if err == nil {
			t.Error("it has waited")
		}
		_, exit, err := s.exec(t, channel.Command{Argv: shell("for i in $(seq 1000); do grep -lqs '^sleep.1000' /proc/[0-9]*/cmdline || exit 0; sleep 0.05; done; exit 1")})
		if err != nil || exit.Status() != 0 {
			t.Errorf("its command is still there: %v, %v", exit, err)
		}
	})
}

// teller does something once a command has written a word.
type teller struct {
	on   string
	tell func()
	all  []byte
}

// Write implements io.Writer.
func (w *teller) Write(data []byte) (int, error) {
	w.all = append(w.all, data...)
	if w.tell != nil && bytes.Contains(w.all, []byte(w.on)) {
		w.tell()
		w.tell = nil
	}
	return len(data), nil
}
