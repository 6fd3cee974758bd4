package runtime_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// TestMachineSessions has one machine run all that a command can do to its exit
// status and its streams, since each boot takes seconds.
func TestMachineSessions(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	up(t, r, compile(t, "plain.cue"))
	client, err := r.Attach(t.Context(), "plain")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := machineSessions{client}
	t.Run("every exit code", s.everyExitCode)
	t.Run("translated code", translatedCode)
	t.Run("death by signals", s.signals)
	t.Run("random bytes", s.randomBytes)
	t.Run("the end of input", s.endOfInput)
	t.Run("a reader that leaves", s.leavingReader)
	t.Run("several at once", s.severalAtOnce)
	t.Run("the power button", s.powerButton) // the machine's end
}

type machineSessions struct{ client *channel.Client }

func (s machineSessions) run(t *testing.T, stdin io.Reader, argv ...string) (exit channel.Exit, out, stderr string) {
	t.Helper()
	var o, e bytes.Buffer
	exit, err := s.client.Exec(t.Context(), channel.Command{Argv: argv, Stdin: stdin != nil}, channel.Stdio{Stdin: stdin, Stdout: &o, Stderr: &e})
	if err != nil {
		t.Errorf("%q: %v", argv, err)
	}
	return exit, o.String(), e.String()
}

func (s machineSessions) everyExitCode(t *testing.T) {
	free := make(chan struct{}, 8)
	var all sync.WaitGroup
	for code := range 256 {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			exit, out, stderr := s.run(t, nil, "/usr/bin/sh", "-c", fmt.Sprintf("echo out %d; echo err >&2; exit %d", code, code))
			if exit.Status() != code || out != fmt.Sprintf("out %d\n", code) || stderr != "err\n" {
				t.Errorf("exit %d: %v, %q, %q", code, exit, out, stderr)
			}
		})
	}
	all.Wait()
}

// translatedCode sees to it that an emulated machine does not slow down with the
// number of its sessions: what QEMU keeps of translated code is bounded.
func translatedCode(t *testing.T) {
	out, err := exec.Command("virsh", "-q", "-c", "qemu:///system", "qemu-monitor-command", "plain", "--hmp", "info jit").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, sizes, _ := strings.Cut(string(out), "gen code size")
	var used, most int
	if _, err := fmt.Sscanf(sizes, "%d/%d", &used, &most); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if used > most || most > 64<<20 {
		t.Errorf("QEMU keeps %d bytes of translated code and would keep %d, want at most 64 MiB", used, most)
	}
}

func (s machineSessions) signals(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGSEGV} {
		exit, _, _ := s.run(t, nil, "/usr/bin/sh", "-c", fmt.Sprintf("kill -%d $$", signal))
		if exit.Signal != int(signal) || exit.Status() != 128+int(signal) {
			t.Errorf("%v: %v", signal, exit)
		}
	}
}

func (s machineSessions) randomBytes(t *testing.T) {
	in, out := sha256.New(), sha256.New()
	random := io.TeeReader(io.LimitReader(rand.Reader, 64<<20), in)
	exit, err := s.client.Exec(t.Context(), channel.Command{Argv: []string{"/usr/bin/cat"}, Stdin: true}, channel.Stdio{Stdin: random, Stdout: out, Stderr: io.Discard})
	if err != nil || exit.Status() != 0 {
		t.Fatalf("cat: %v, %v", exit, err)
	}
	if !bytes.Equal(in.Sum(nil), out.Sum(nil)) {
		t.Error("what came out is not what went in")
	}
}

func (s machineSessions) endOfInput(t *testing.T) {
	if exit, out, _ := s.run(t, strings.NewReader("hello"), "/usr/bin/wc", "-c"); exit.Status() != 0 || out != "5\n" {
		t.Errorf("wc -c: %v, %q", exit, out)
	}
}

// leavingReader takes one line of an endless output.
func (s machineSessions) leavingReader(t *testing.T) {
	r, w := io.Pipe()
	go func() {
		_, _ = io.ReadFull(r, make([]byte, 2))
		r.Close()
	}()
	exit, err := s.client.Exec(t.Context(), channel.Command{Argv: []string{"/usr/bin/yes"}}, channel.Stdio{Stdout: w, Stderr: io.Discard})
	if err != nil || exit.Signal != int(syscall.SIGPIPE) {
		t.Errorf("yes: %v, %v", exit, err)
	}
}

func (s machineSessions) severalAtOnce(t *testing.T) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			data := make([]byte, 2_000_000)
			_, _ = rand.Read(data)
			if exit, out, _ := s.run(t, bytes.NewReader(data), "/usr/bin/cat"); exit.Status() != 0 || out != string(data) {
				t.Errorf("cat: %v, %d bytes of %d", exit, len(out), len(data))
			}
		})
	}
	all.Wait()
}

func (s machineSessions) powerButton(t *testing.T) { pressPowerButton(t, "plain") }

// pressPowerButton presses it, as libvirt-guests does at the host's shutdown: the
// machine ends.
func pressPowerButton(t *testing.T, name string) {
	t.Helper()
	pressed := time.Now()
	if out, err := exec.Command("virsh", "-c", "qemu:///system", "shutdown", name).CombinedOutput(); err != nil {
		t.Fatalf("virsh shutdown: %v: %s", err, out)
	}
	for {
		state, err := exec.Command("virsh", "-q", "-c", "qemu:///system", "domstate", name).CombinedOutput()
		if err != nil || strings.TrimSpace(string(state)) == "shut off" {
			break // a transient one is gone
		}
		if time.Since(pressed) > 2*time.Minute {
			t.Fatalf("the machine has not ended within %v: %s", time.Since(pressed).Round(time.Second), state)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
