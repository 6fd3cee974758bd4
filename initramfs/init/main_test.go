package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/alone"
)

func TestMain(m *testing.M) {
	alone.Main(tests{m}, map[string]func() error{"container": becomeInit})
}

// patience is how long anything may take that these tests wait for.
const patience = 2 * time.Minute

// Where sbx-init stands in its root, and where it writes which of its lines have run,
// if somebody counts.
const (
	initInside  = "/sbx-init"
	linesInside = "/lines"
)

// countVar names the folder in which scripts/cover counts them.
const countVar = "SBX_COVERDIR"

// tests are this package's, and the folder of what they build.
type tests struct{ m *testing.M }

func (t tests) Run() int {
	dir, err := os.MkdirTemp("", "sbx-init-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built = sync.OnceValues(func() (string, error) { return build(filepath.Join(dir, "sbx-init")) })
	return t.m.Run()
}

// built is the program, as it is built for a sandbox.
var built func() (string, error)

func build(path string) (string, error) {
	args := []string{"build", "-o", path}
	if os.Getenv(countVar) != "" {
		args = append(args, "-cover", "-coverpkg=github.com/sbx-dev/sbx/initramfs/...")
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
}

// becomeInit makes a container's root for the manifest and starts sbx-init in it. Its
// arguments are a folder, the program and the manifest.
func becomeInit() error {
	dir, program, text := os.Args[1], os.Args[2], os.Args[3]
	lines := os.Getenv(countVar)
	err := alone.MakeRoot(dir, func(root string) error {
		data, err := os.ReadFile(program)
		if err != nil {
			return err
		}
		if err := os.WriteFile(root+initInside, data, 0o755); err != nil {
			return err
		}
		if err := os.Mkdir(filepath.Dir(root+manifest.ManifestPath), 0o755); err != nil {
			return err
		}
		for _, path := range []string{manifest.SecretsDir, "/tmp", linesInside} {
			if err := os.MkdirAll(root+path, 0o755); err != nil {
				return err
			}
		}
		if lines != "" {
			if err := unix.Mount(lines, root+linesInside, "", unix.MS_BIND, ""); err != nil {
				return err
			}
		}
		return os.WriteFile(root+manifest.ManifestPath, []byte(text), 0o644)
	})
	if err != nil {
		return err
	}
	return unix.Exec(initInside, []string{initInside}, []string{"GOCOVERDIR=" + linesInside})
}

// sandbox is a container without libvirt: namespaces, and the first process in them.
type sandbox struct {
	*channel.Client
	init *exec.Cmd
	said *words
}

// words are what sbx-init says, which may be read while it says more.
type words struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// start starts one, and connects to it.
func start(t *testing.T, m manifest.Manifest) sandbox {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	m.Version = manifest.Version
	if m.Run.Workdir == "" {
		m.Run.Workdir = "/"
	}
	if m.Run.User == "" {
		m.Run.User = "root"
	}
	if m.Run.StopSignal == "" {
		m.Run.StopSignal = "SIGTERM"
	}
	m.Run.Env = append(m.Run.Env, "PATH=/usr/bin:/bin")
	text, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "channel"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	end, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	root := filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	s := sandbox{init: alone.Command(t, "container"), said: new(words)}
	s.init.Args = append(s.init.Args, root, program, string(text))
	s.init.ExtraFiles = []*os.File{end}
	s.init.Stdout, s.init.Stderr = s.said, s.said
	s.init.WaitDelay = patience // its orphans hold what it said to
	if err := s.init.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.init.Process.Kill() // it may have ended
		_ = s.init.Wait()
	})
	conn, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if s.Client, err = channel.Dial(ctx, conn); err != nil {
		t.Fatalf("%v\n%s", err, s.said)
	}
	t.Cleanup(func() { s.Client.Close() })
	return s
}

// ended waits for the first process, which must end well.
func (s sandbox) ended(t *testing.T) {
	t.Helper()
	s.Close()
	done := make(chan error, 1)
	go func() { done <- s.init.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("sbx-init: %v\n%s", err, s.said)
		}
	case <-time.After(patience):
		t.Fatalf("sbx-init has not ended\n%s", s.said)
	}
}

// ending waits for the command's end from now on, and gives its last state. What ends it
// may be done as soon as this has returned: the sandbox knows then that it is watched.
func (s sandbox) ending(t *testing.T) func() channel.Status {
	var last channel.Status
	var err error
	watched, done := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() { close(watched) })
	go func() {
		defer close(done)
		defer first()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		err = s.Watch(ctx, func(now channel.Status) bool {
			first()
			last = now
			return now.State != channel.Ended
		})
	}()
	<-watched
	return func() channel.Status {
		t.Helper()
		<-done
		if err != nil || last.State != channel.Ended {
			t.Fatalf("%+v, %v\n%s", last, err, s.said)
		}
		return last
	}
}

// await waits for a state.
func (s sandbox) await(t *testing.T, what string, is func(channel.Status) bool) (at channel.Status) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	met := false
	err := s.Watch(ctx, func(now channel.Status) bool {
		at, met = now, is(now)
		return !met
	})
	if !met {
		t.Fatalf("it never was %s, but %+v: %v\n%s", what, at, err, s.said)
	}
	return at
}

// output gives all that the service writes, once that has ended.
func (s sandbox) output(t *testing.T) func() string {
	var all strings.Builder
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = s.Output(t.Context(), 0, true, func(r channel.Record) error {
			_, err := all.Write(r.Data)
			return err
		})
	}()
	return func() string {
		<-done
		if err != nil {
			t.Error(err)
		}
		return all.String()
	}
}

// shell is a script for sh.
func shell(script string) []string { return []string{"/bin/sh", "-c", script} }

// exec runs a command beside the sandbox's own.
func (s sandbox) exec(t *testing.T, command channel.Command) (stdout string, exit channel.Exit, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out bytes.Buffer
	exit, err = s.Exec(ctx, command, channel.Stdio{Stdout: &out, Stderr: &out})
	return out.String(), exit, err
}

// failure is why a command did not start.
func failure(t *testing.T, err error) *channel.Failure {
	t.Helper()
	var f *channel.Failure
	if !errors.As(err, &f) {
		t.Fatalf("it ended with %v, not with a failure", err)
	}
	return f
}
