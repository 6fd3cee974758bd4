package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// walls are the command lines that `sbx run` is tested with: what holds in one
// backend holds in the other.
var walls = map[string][]string{
	"lxc": {"run", "-b", "lxc"},
}

// result is what a person at a shell sees of a command.
type result struct {
	code           int
	stdout, stderr string
}

// sbxRun runs `sbx run` in the backend's walls with further flags and a command.
func sbxRun(t *testing.T, backend string, stdin io.Reader, args ...string) result {
	t.Helper()
	return sbxAt(t, stdin, append(walls[backend][:len(walls[backend]):len(walls[backend])], args...)...)
}

func sbxAt(t *testing.T, stdin io.Reader, args ...string) result {
	t.Helper()
	bin, err := guestInit()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SBX_INIT", bin)
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), stdin, &stdout, &stderr, args)
	return result{code, stdout.String(), stderr.String()}
}

func eachBackend(t *testing.T, test func(t *testing.T, backend string)) {
	testhost.Need(t)
	for backend := range walls {
		t.Run(backend, func(t *testing.T) { test(t, backend) })
	}
}

func TestRunEndsAsItsCommandDoes(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		for _, c := range []struct {
			name string
			args []string
			want result
		}{
			{"false", []string{"--", "/bin/false"}, result{code: 1}},
			{"streams apart", []string{"--", "sh", "-c", "echo out; echo err >&2; exit 200"}, result{200, "out\n", "err\n"}},
			{"TERM", []string{"--", "sh", "-c", "kill -TERM $$"}, result{code: 143}},
			{"KILL", []string{"--", "sh", "-c", "kill -KILL $$"}, result{code: 137}},
			{"SEGV", []string{"--", "sh", "-c", "kill -SEGV $$"}, result{code: 139}},
			{"not found", []string{"--", "/no/such"}, result{127, "", "sbx: /no/such does not exist inside the sandbox\n"}},
			{"not in PATH", []string{"-e", "PATH=/bin", "--", "nosuch"}, result{127, "", "sbx: nosuch is in no folder of PATH=/bin inside the sandbox\n"}},
			{"not executable", []string{"--", "/etc/passwd"}, result{126, "", "sbx: cannot execute /etc/passwd: permission denied\n"}},
			{"timeout", []string{"--timeout", "300ms", "--", "sleep", "60"}, result{124, "", "sbx: the command was ended: --timeout is over\n"}},
			{"user", []string{"-u", "daemon", "--", "id", "-un"}, result{0, "daemon\n", ""}},
			{"a closed folder", []string{"-u", "daemon", "-w", "/root", "--", "id"}, result{125, "", "sbx: the user daemon may not enter the working directory /root\n"}},
			{"a user's terminal", []string{"-t", "-u", "daemon", "--", "sh", "-c", "stat -c %U $(tty)"}, result{0, "daemon\r\n", ""}},
			{"no such user", []string{"-u", "nosuch", "--", "id"}, result{125, "", "sbx: the user \"nosuch\" is not in the sandbox's /etc/passwd: expose that file, or give a number\n"}},
			{"environment", []string{"-e", "A=b=c", "--", "sh", "-c", "echo $A"}, result{0, "b=c\n", ""}},
			{"folder", []string{"-w", "/usr/lib", "--", "pwd"}, result{0, "/usr/lib\n", ""}},
			{"terminal", []string{"-t", "--", "sh", "-c", "test -t 0 && test -t 2 && stty size"}, result{0, "24 80\r\n", ""}},
			{"background", []string{"--", "sh", "-c", "sleep 60 & echo started"}, result{0, "started\n", ""}},
		} {
			t.Run(c.name, func(t *testing.T) {
				if got := sbxRun(t, backend, strings.NewReader(""), c.args...); got != c.want {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
			})
		}
	})
}

// TestEveryExitCode ends 256 commands with every code there is, several at a
// time, beside one sandbox's own command.
func TestEveryExitCode(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		name := "codes-" + backend
		end := background(t, backend, name)
		defer end()
		var wg sync.WaitGroup
		free := make(chan struct{}, 8)
		for code := range 256 {
			free <- struct{}{}
			wg.Go(func() {
				defer func() { <-free }()
				got := sbxAt(t, nil, "exec", name, "--", "sh", "-c", fmt.Sprintf("echo %d; exit %d", code, code))
				if want := (result{code, fmt.Sprintln(code), ""}); got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
			})
		}
		wg.Wait()
	})
}

// background runs a sandbox whose command reads until end is called, and waits
// until that command runs.
func background(t *testing.T, backend, name string, flags ...string) (end func()) {
	t.Helper()
	in, stop := io.Pipe()
	runs, started := io.Pipe()
	bin, err := guestInit()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SBX_INIT", bin)
	args := append(walls[backend][:len(walls[backend]):len(walls[backend])], "--name", name)
	args = append(append(args, flags...), "--", "sh", "-c", "echo started; cat")
	ended := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		ended <- run(t.Context(), in, started, &stderr, args)
		started.Close()
	}()
	if _, err := io.ReadFull(runs, make([]byte, len("started\n"))); err != nil {
		t.Fatalf("the sandbox did not start: %s", &stderr)
	}
	go io.Copy(io.Discard, runs)
	return func() {
		stop.Close()
		if code := <-ended; code != 0 {
			t.Errorf("the sandbox's own command ended with %d: %s", code, &stderr)
		}
	}
}

// TestRunIsAPipe sends random bytes through cat. SBX_TEST_BYTES sets how many.
func TestRunIsAPipe(t *testing.T) {
	sizes := map[string]int64{"lxc": 1 << 30, "kvm": 64 << 20}
	eachBackend(t, func(t *testing.T, backend string) {
		in, out := sha256.New(), sha256.New()
		random := io.TeeReader(io.LimitReader(rand.Reader, sizes[backend]), in)
		bin, err := guestInit()
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("SBX_INIT", bin)
		var stderr bytes.Buffer
		args := append(walls[backend][:len(walls[backend]):len(walls[backend])], "--", "cat")
		if code := run(t.Context(), random, out, &stderr, args); code != 0 {
			t.Fatalf("exit code %d: %s", code, &stderr)
		}
		if !bytes.Equal(in.Sum(nil), out.Sum(nil)) {
			t.Error("what came out is not what went in")
		}
	})
}

func TestTheEndOfInputIsSeen(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		got := sbxRun(t, backend, strings.NewReader("hello"), "--", "wc", "-c")
		if want := (result{0, "5\n", ""}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// TestAReaderThatLeaves: the command finds its pipe closed, as at a shell.
func TestAReaderThatLeaves(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		bin, err := guestInit()
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("SBX_INIT", bin)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			io.ReadFull(r, make([]byte, 2))
			r.Close()
		}()
		args := append(walls[backend][:len(walls[backend]):len(walls[backend])], "--", "yes")
		var stderr bytes.Buffer
		if code := run(t.Context(), nil, w, &stderr, args); code != 128+13 || stderr.Len() > 0 {
			t.Errorf("exit code %d: %s", code, &stderr)
		}
		w.Close()
	})
}

// TestManySessionsAtOnce has eight sessions in one sandbox carry 10 MB each.
func TestManySessionsAtOnce(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		name := "sessions-" + backend
		end := background(t, backend, name)
		defer end()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				data := make([]byte, 10_000_000)
				rand.Read(data)
				if got := sbxAt(t, bytes.NewReader(data), "exec", name, "--", "cat"); got.code != 0 || got.stdout != string(data) {
					t.Errorf("exit code %d, %d bytes, %s", got.code, len(got.stdout), got.stderr)
				}
			})
		}
		wg.Wait()
	})
}

func TestRunLeavesNothing(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		sbxRun(t, backend, nil, "--name", "gone-"+backend, "--", "true")
		sbxRun(t, backend, nil, "--name", "gone-"+backend, "--timeout", "200ms", "--", "sleep", "60")
		for limit := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			ps := sbxAt(t, nil, "ps")
			left, err := os.ReadDir("/var/lib/sbx/.run")
			if err == nil && len(left) == 0 && !strings.Contains(ps.stdout, "gone-"+backend) {
				if _, err := os.Stat("/var/lib/sbx/gone-" + backend); err != nil {
					return
				}
			}
			if time.Now().After(limit) {
				t.Fatalf("left: %v\n%s", left, ps.stdout)
			}
		}
	})
}
