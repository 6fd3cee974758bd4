package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// idle is a service that does nothing until it is asked to end.
var idle = shell("trap 'exit 3' TERM; while :; do sleep 0.05; done")

func TestAServiceEndsAsItsCommandDoes(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   channel.Exit
	}{
		"well":      {"echo out; echo err >&2", channel.Exit{}},
		"badly":     {"echo out; echo err >&2; exit 7", channel.Exit{Code: 7}},
		"by signal": {"echo out; echo err >&2; kill -9 $$", channel.Exit{Signal: 9}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{Argv: shell(c.script), Restart: "never"}})
			out := s.output(t)() // first: the sandbox is gone once all who have asked by then know the end
			if last := s.ending(t)(); last.Exit == nil || *last.Exit != c.want {
				t.Errorf("it ended with %v, want %v", last.Exit, c.want)
			}
			if !strings.Contains(out, "out\n") || !strings.Contains(out, "err\n") {
				t.Errorf("it wrote %q", out)
			}
			s.ended(t)
		})
	}
}

func TestAServiceIsStartedAgain(t *testing.T) {
	t.Parallel()
	s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{
		Argv:    shell("echo x >>/tmp/starts; [ $(wc -l </tmp/starts) = 3 ]"),
		Restart: "on-failure",
	}})
	if last := s.ending(t)(); last.Restarts != 2 || last.Exit == nil || last.Exit.Status() != 0 {
		t.Errorf("%+v", last)
	}
	s.ended(t)
}

// It ends by its stop signal, asked over the channel or by libvirt's; and by SIGKILL
// where it takes no notice.
func TestAServiceIsStopped(t *testing.T) {
	deaf := shell("trap '' TERM; echo deaf; while :; do sleep 0.05; done")
	for name, c := range map[string]struct {
		argv  []string
		limit time.Duration
		stop  func(t *testing.T, s sandbox)
		want  channel.Exit
	}{
		"over the channel": {idle, patience, func(t *testing.T, s sandbox) {
			if err := s.Stop(t.Context(), func() {}); err != nil {
				t.Error(err)
			}
		}, channel.Exit{Code: 3}},
		"by a signal": {idle, patience, func(t *testing.T, s sandbox) {
			if err := s.init.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		}, channel.Exit{Code: 3}},
		"that is deaf": {deaf, 200 * time.Millisecond, func(t *testing.T, s sandbox) {
			if err := s.Stop(t.Context(), func() {}); err != nil {
				t.Error(err)
			}
		}, channel.Exit{Signal: 9}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{
				Argv: c.argv, Restart: "always", StopTimeout: c.limit.Milliseconds(),
				Ready: &manifest.Ready{Probe: manifest.Probe{Exec: shell(": it has set its traps; sleep 0.2")}, Timeout: patience.Milliseconds()},
			}})
			s.await(t, "ready", func(now channel.Status) bool { return now.State == channel.Ready })
			end := s.ending(t)
			c.stop(t, s)
			if last := end(); last.Exit == nil || *last.Exit != c.want {
				t.Errorf("it ended with %v, want %v", last.Exit, c.want)
			}
			s.ended(t)
		})
	}
}

func TestAServiceIsRestarted(t *testing.T) {
	t.Parallel()
	s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{Argv: idle, Restart: "never", StopTimeout: patience.Milliseconds()}})
	first := s.await(t, "ready", func(now channel.Status) bool { return now.State == channel.Ready })
	if err := s.init.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	second := s.await(t, "ready again", func(now channel.Status) bool { return now.State == channel.Ready && now.PID != first.PID })
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.await(t, "ready a third time", func(now channel.Status) bool { return now.State == channel.Ready && now.PID != second.PID })
}

// What a service has left behind is reaped while the sandbox runs, and gone with it.
func TestOrphansAreReaped(t *testing.T) {
	t.Parallel()
	s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{
		Argv:    shell("for i in 1 2 3 4 5 6 7 8; do (sh -c 'sleep 0.01 &'); done; (sleep 1000 &); touch /tmp/done; while :; do sleep 0.05; done"),
		Restart: "never", StopTimeout: 1,
		Ready: &manifest.Ready{Probe: manifest.Probe{File: "/tmp/done"}, Timeout: patience.Milliseconds()},
	}})
	s.await(t, "ready", func(now channel.Status) bool { return now.State == channel.Ready })
	// An orphan is a zombie until it is reaped, which is soon.
	_, exit, err := s.exec(t, channel.Command{Argv: shell("for i in $(seq 1000); do grep -q '^State:.Z' /proc/[0-9]*/status 2>/dev/null || exit 0; sleep 0.05; done; exit 1")})
	if err != nil || exit.Status() != 0 {
		t.Errorf("dead processes stay: %v, %v", exit, err)
	}
	if err := s.Stop(t.Context(), func() {}); err != nil {
		t.Fatal(err)
	}
	s.ended(t)
}

// A probe that fails too often has the service started again.
func TestAServiceThatIsBrokenIsStartedAgain(t *testing.T) {
	t.Parallel()
	s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{
		Argv: idle, Restart: "on-failure", StopTimeout: patience.Milliseconds(),
		Ready:  &manifest.Ready{Probe: manifest.Probe{Exec: []string{"/bin/true"}}, Timeout: patience.Milliseconds()},
		Health: &manifest.Health{Probe: manifest.Probe{File: "/tmp/healthy"}, Every: 20, Failures: 2},
	}})
	s.await(t, "started again", func(now channel.Status) bool { return now.Restarts > 0 })
}

func TestNothingRunsBeforeItsSecretsAreThere(t *testing.T) {
	t.Parallel()
	s := start(t, manifest.Manifest{Service: true, Secrets: []string{"key"}, Run: manifest.Run{
		Argv: shell("cat " + manifest.SecretsDir + "/key; stat -c ' %a %U' " + manifest.SecretsDir + "/key"), Restart: "never",
	}})
	if now, err := s.Status(t.Context()); err != nil || now.State != channel.Waiting {
		t.Fatalf("%+v, %v", now, err)
	}
	if err := s.SendSecret(t.Context(), channel.Secret{Name: "other"}); failure(t, err).Reason != channel.ReasonRefused {
		t.Error(err)
	}
	written := s.output(t)
	if err := s.SendSecret(t.Context(), channel.Secret{Name: "key", Value: []byte("sesame")}); err != nil {
		t.Fatal(err)
	}
	if out := written(); out != "sesame 400 root\n" {
		t.Errorf("%q", out)
	}
}

// What cannot be set up is told to whoever asks, and nothing runs.
func TestASandboxThatCannotBeSetUpRunsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		m    manifest.Manifest
		want string
	}{
		"no such interface":  {manifest.Manifest{Interfaces: []manifest.Interface{{Name: "eth7", MAC: "52:54:00:00:00:01"}}}, "network interface eth7"},
		"no such capability": {manifest.Manifest{Run: manifest.Run{Capabilities: []string{"fly"}}}, "fly"},
		"no such tmpfs":      {manifest.Manifest{Mounts: []manifest.Mount{{Kind: manifest.Tmpfs, Target: "/nowhere", Mode: 0o755}}}, "cannot set the mode of a tmpfs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.m.Run.Argv = []string{"/bin/true"}
			s := start(t, c.m)
			_, err := s.Run(t.Context(), channel.Command{}, channel.Stdio{})
			if f := failure(t, err); !strings.Contains(f.Message, c.want) {
				t.Errorf("%q", f.Message)
			}
		})
	}
}

// A signal is the command's alone to answer, and one to a command that does not run is
// refused.
func TestAServiceIsSignalled(t *testing.T) {
	t.Parallel()
	s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{
		Argv: shell("trap 'touch /tmp/reloaded' HUP; trap 'exit 5' USR1; touch /tmp/set; while :; do sleep 0.05; done"), Restart: "on-failure", StopTimeout: 1,
		Ready: &manifest.Ready{Probe: manifest.Probe{File: "/tmp/set"}, Timeout: patience.Milliseconds()},
	}})
	before := s.await(t, "ready", func(now channel.Status) bool { return now.State == channel.Ready })
	if f := failure(t, s.Signal(t.Context(), 65)); f.Reason != channel.ReasonRefused {
		t.Error(f)
	}
	if err := s.Signal(t.Context(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	_, exit, err := s.exec(t, channel.Command{Argv: shell("for i in $(seq 1000); do [ -e /tmp/reloaded ] && exit 0; sleep 0.05; done; exit 1")})
	if err != nil || exit.Status() != 0 {
		t.Errorf("it has not had it: %v, %v", exit, err)
	}
	if now, err := s.Status(t.Context()); err != nil || now.PID != before.PID || now.State != channel.Ready {
		t.Errorf("%+v, %v", now, err)
	}
	if err := s.Signal(t.Context(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	s.await(t, "started again", func(now channel.Status) bool { return now.Restarts == 1 && now.Exit != nil && now.Exit.Code == 5 })
}

func TestNothingThatDoesNotRunIsSignalled(t *testing.T) {
	t.Parallel()
	s := start(t, manifest.Manifest{Service: true, Secrets: []string{"key"}, Run: manifest.Run{Argv: idle, Restart: "never", StopTimeout: 1}})
	if f := failure(t, s.Signal(t.Context(), syscall.SIGHUP)); !strings.Contains(f.Message, "does not run now") {
		t.Error(f)
	}
}
