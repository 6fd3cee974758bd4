package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/guestkernel"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// walls are the command lines of `sbx run` that the tests try: what holds in one
// backend holds in the other.
func walls(t *testing.T) map[string][]string {
	kernel, modules := guestkernel.Get(t)
	return map[string][]string{
		"lxc": {"run", "-b", "lxc"},
		"kvm": {"run", "-b", "kvm", "--accel", "tcg", "--kernel", kernel, "--modules", modules},
	}
}

// eachBackend runs a test in both backends, side by side.
func eachBackend(t *testing.T, test func(t *testing.T, b walled)) {
	testhost.Need(t)
	bin, err := guestInit()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SBX_INIT", bin)
	for name, args := range walls(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, walled{backend: name, args: args})
		})
	}
}

// walled is a backend to run commands in.
type walled struct {
	backend string
	args    []string
	start   func(args []string) *exec.Cmd // sbx as a process of its own; nil: in this one
	state   string                        // its state folder, where start is given
	uid     int                           // and whose that is
}

// result is what a person at a shell sees of a command.
type result struct {
	code           int
	stdout, stderr string
}

// run runs `sbx run` with further flags and a command.
func (b walled) run(t *testing.T, stdin io.Reader, args ...string) result {
	t.Helper()
	args = append(b.args[:len(b.args):len(b.args)], args...)
	if b.start == nil {
		return call(t, stdin, args...)
	}
	return outcome(t, b.start(args), stdin)
}

// slow is what sbx says of machines without KVM, which the tests' are.
const slow = "sbx: the machine runs without hardware virtualisation, as --accel tcg asks: it is many times slower\n"

// waits is what it says, too, where this machine is slow besides.
const waits = "sbx: its first process has not answered for 30s; sbx waits 10m0s for it\n"

// atFullSpeed is what sbx would have said on a machine that is neither.
func atFullSpeed(stderr string) string {
	return strings.Replace(strings.Replace(stderr, slow, "", 1), waits, "", 1) // of a machine that is not restored, after it said so
}

// call calls sbx.
func call(t *testing.T, stdin io.Reader, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), stdin, &stdout, &stderr, args)
	return result{code, stdout.String(), atFullSpeed(stderr.String())}
}

// TestSessions tries commands beside one sandbox's own.
func TestSessions(t *testing.T) {
	eachBackend(t, func(t *testing.T, b walled) {
		sandbox := "sessions-" + b.backend
		owner, end := process(t, append(b.args[:len(b.args):len(b.args)], "--name", sandbox, "--", "sh", "-c", "echo started; cat")...)
		defer end()
		for name, c := range map[string]struct {
			flags, command []string
			want           result
		}{
			"streams apart":   {nil, []string{"sh", "-c", "echo out; echo err >&2; exit 200"}, result{200, "out\n", "err\n"}},
			"TERM":            {nil, []string{"sh", "-c", "kill -TERM $$"}, result{code: 143}},
			"KILL":            {nil, []string{"sh", "-c", "kill -KILL $$"}, result{code: 137}},
			"SEGV":            {nil, []string{"sh", "-c", "kill -SEGV $$"}, result{code: 139}},
			"not found":       {nil, []string{"/no/such"}, result{127, "", "sbx: /no/such does not exist inside the sandbox\n"}},
			"not in PATH":     {[]string{"-e", "PATH=/bin"}, []string{"nosuch"}, result{127, "", "sbx: nosuch is in no folder of PATH=/bin inside the sandbox\n"}},
			"not executable":  {nil, []string{"/etc/passwd"}, result{126, "", "sbx: cannot execute /etc/passwd: permission denied\n"}},
			"timeout":         {[]string{"--timeout", "1s"}, []string{"sleep", "60"}, result{124, "", "sbx: the command was ended: --timeout is over\n"}},
			"user":            {[]string{"-u", "daemon"}, []string{"id", "-un"}, result{0, "daemon\n", ""}},
			"no such user":    {[]string{"-u", "nosuch"}, []string{"id"}, result{125, "", "sbx: the user \"nosuch\" is not in the sandbox's /etc/passwd: expose that file, or give a number\n"}},
			"environment":     {[]string{"-e", "A=b=c"}, []string{"sh", "-c", "echo $A"}, result{0, "b=c\n", ""}},
			"folder":          {[]string{"-w", "/usr/lib"}, []string{"pwd"}, result{0, "/usr/lib\n", ""}},
			"closed folder":   {[]string{"-u", "daemon", "-w", "/root"}, []string{"id"}, result{125, "", "sbx: the user daemon may not enter the working directory /root\n"}},
			"terminal":        {[]string{"-t"}, []string{"sh", "-c", "test -t 0 && test -t 2 && stty size"}, result{0, "24 80\r\n", ""}},
			"user's terminal": {[]string{"-t", "-u", "daemon"}, []string{"sh", "-c", "stat -c %U $(tty)"}, result{0, "daemon\r\n", ""}},
			"no new rights":   {nil, []string{"grep", "NoNewPrivs", "/proc/self/status"}, result{0, "NoNewPrivs:\t1\n", ""}},
			"capabilities":    {nil, []string{"grep", "-E", "Cap(Inh|Prm|Bnd|Amb)", "/proc/self/status"}, result{0, shellCapabilities, ""}},
			"of a user":       {[]string{"-u", "daemon"}, []string{"grep", "-E", "Cap(Inh|Prm|Eff|Amb)", "/proc/self/status"}, result{0, userCapabilities, ""}},
			"a user's write":  {[]string{"-u", "daemon"}, []string{"sh", "-c", "> /root/file"}, result{2, "", "sh: 1: cannot create /root/file: Permission denied\n"}},
			"output by path":  {[]string{"-u", "daemon"}, []string{"sh", "-c", "cat /dev/stdin; echo out > /dev/stdout; echo err > /dev/stderr"}, result{0, "out\n", "err\n"}},
			"after a change":  {nil, []string{"setpriv", "--reuid", "1", "--clear-groups", "sh", "-c", "cat /dev/stdin; echo out > /dev/stdout; echo err > /dev/stderr"}, result{0, "out\n", "err\n"}},
			"a user's tty":    {[]string{"-t", "-u", "daemon"}, []string{"sh", "-c", "echo out > /dev/stdout; echo err > /dev/stderr; echo tty > /dev/tty"}, result{0, "out\r\nerr\r\ntty\r\n", ""}},
			"a shell's end":   {[]string{"-t", "--timeout", "2m"}, []string{"sh", "-i"}, result{0, "# \r\n", ""}},
			"none to type":    {[]string{"-t", "-n", "--timeout", "2m"}, []string{"sh", "-c", "cat; stty -icanon -echo; head -c1 | wc -c"}, result{0, "1\r\n", ""}},
			"untraced":        {nil, []string{"sh", "-c", "cat /proc/1/environ"}, result{1, "", "cat: /proc/1/environ: Permission denied\n"}},
		} {
			t.Run(name, func(t *testing.T) {
				args := append(append([]string{"exec"}, c.flags...), sandbox, "--")
				if got := call(t, strings.NewReader(""), append(args, c.command...)...); got != c.want {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
			})
		}
		t.Run("the end of input", func(t *testing.T) {
			got := call(t, strings.NewReader("hello"), "exec", sandbox, "--", "wc", "-c")
			if want := (result{0, "5\n", ""}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
		t.Run("the end of what is typed", func(t *testing.T) {
			// Typed ahead, an unfinished line; and a program that throws away what was typed before it.
			got := call(t, strings.NewReader("typed"), "exec", "-t", "--timeout", "2m", sandbox, "--", "sh", "-c", `stty -echo; cat >/dev/null; stty -F /dev/tty sane; exec perl -MPOSIX -e 'tcflush(0, TCIFLUSH); print "at its end\n" unless <STDIN>'`)
			if !strings.HasSuffix(got.stdout, "at its end\r\n") || got.code != 0 {
				t.Errorf("got %+v", got)
			}
		})
		t.Run("into a file", func(t *testing.T) { intoAFile(t, sandbox) })
		t.Run("a reader that stops", func(t *testing.T) {
			readerStops(t, "exec", "--timeout", "2s", sandbox, "--", "yes")
			if b.backend == "lxc" { // sbx run's output comes by a pipe of its own
				readerStops(t, append(b.args[:len(b.args):len(b.args)], "--timeout", "5s", "--", "yes")...)
				toldToEnd(t, b.args...)
			} else {
				toldToEnd(t, "exec", sandbox)
			}
		})
		t.Run("a reader that leaves", func(t *testing.T) { aReaderLeaves(t, sandbox) })
		t.Run("beside others that are stopped", func(t *testing.T) { besideStopped(t, sandbox, owner) })
		if b.backend == "kvm" {
			t.Run("its holder", func(t *testing.T) { holderIsConfined(t, sandbox) })
		}
		t.Run("transparent", func(t *testing.T) { transparent(t, sandbox) })
		t.Run("every exit code", func(t *testing.T) { everyExitCode(t, sandbox) })
		t.Run("eight at once", func(t *testing.T) { eightAtOnce(t, sandbox) })
	})
}

// readerStops has sbx write into a pipe that nobody reads: its --timeout is over all the
// same, whether its errors go there, too, or not.
func readerStops(t *testing.T, args ...string) {
	t.Helper()
	for _, both := range []bool{false, true} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		var errs bytes.Buffer
		ended := make(chan int, 1)
		go func() {
			if both {
				ended <- run(t.Context(), nil, w, w, args)
			} else {
				ended <- run(t.Context(), nil, w, &errs, args)
			}
		}()
		select {
		case code := <-ended:
			if said := atFullSpeed(errs.String()); code != 124 || !both && said != "sbx: the command was ended: --timeout is over\n" {
				t.Errorf("with its errors in the same pipe: %t; code %d, %q", both, code, said)
			}
		case <-time.After(5 * time.Minute):
			t.Errorf("with its errors in the same pipe: %t; it does not end", both)
		}
		r.Close() // what waits to write ends
		w.Close()
	}
}

// shellCapabilities are those of profiles/shell.cue, as the kernel shows them:
// chown, dac_override, fowner, kill, setgid, setuid.
const shellCapabilities = "CapInh:\t0000000000000000\nCapPrm:\t00000000000000eb\nCapBnd:\t00000000000000eb\nCapAmb:\t0000000000000000\n"

// userCapabilities are those of every user but root where the profile gives it none.
const userCapabilities = "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapAmb:\t0000000000000000\n"

// everyExitCode ends 256 commands with every code there is, several at a time.
func everyExitCode(t *testing.T, sandbox string) {
	var wg sync.WaitGroup
	free := make(chan struct{}, 8)
	for code := range 256 {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			got := call(t, nil, "exec", sandbox, "--", "sh", "-c", fmt.Sprintf("echo %d; exit %d", code, code))
			if want := (result{code, fmt.Sprintln(code), ""}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
	wg.Wait()
}

// eightAtOnce has eight sessions carry 10 MB each, there and back.
func eightAtOnce(t *testing.T, sandbox string) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			data := make([]byte, 10_000_000)
			rand.Read(data)
			if got := call(t, bytes.NewReader(data), "exec", sandbox, "--", "cat"); got.code != 0 || got.stdout != string(data) {
				t.Errorf("exit code %d, %d bytes, %s", got.code, len(got.stdout), got.stderr)
			}
		})
	}
	wg.Wait()
}

// TestRunIsAPipe sends random bytes through cat.
func TestRunIsAPipe(t *testing.T) {
	sizes := map[string]int64{"lxc": 1 << 30, "kvm": 64 << 20}
	eachBackend(t, func(t *testing.T, b walled) {
		in, out := sha256.New(), sha256.New()
		random := io.TeeReader(io.LimitReader(rand.Reader, sizes[b.backend]), in)
		var stderr bytes.Buffer
		args := append(b.args[:len(b.args):len(b.args)], "--", "cat")
		if code := run(t.Context(), random, out, &stderr, args); code != 0 {
			t.Fatalf("exit code %d: %s", code, &stderr)
		}
		if !bytes.Equal(in.Sum(nil), out.Sum(nil)) {
			t.Error("what came out is not what went in")
		}
	})
}

// intoAFile has a command's output, and what a process in the background still writes
// when it has ended, go into a file, from its begin and from its end: sbx has the kernel
// move it, where that can.
func intoAFile(t *testing.T, sandbox string) {
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "out"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	end, err := os.OpenFile(f.Name(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	var want strings.Builder
	for n, to := range []*os.File{f, end} {
		name := fmt.Sprint("line ", n)
		var stderr bytes.Buffer
		script := "yes '" + name + "' | head -n 1000000; sleep 100000 & echo error >&2; exit 9"
		if code := run(t.Context(), nil, to, &stderr, []string{"exec", sandbox, "--", "sh", "-c", script}); code != 9 || stderr.String() != "error\n" {
			t.Errorf("exit code %d: %s", code, &stderr)
		}
		want.WriteString(strings.Repeat(name+"\n", 1000000))
	}
	got, err := os.ReadFile(f.Name())
	if err != nil || string(got) != want.String() {
		t.Errorf("%d bytes have come, not %d (%v)", len(got), want.Len(), err)
	}
}

// aReaderLeaves has the reader of `yes` leave: the command finds its pipe closed.
func aReaderLeaves(t *testing.T, sandbox string) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	go func() {
		io.ReadFull(r, make([]byte, 2))
		r.Close()
	}()
	var stderr bytes.Buffer
	if code := run(t.Context(), nil, w, &stderr, []string{"exec", sandbox, "--", "yes"}); code != 128+13 || stderr.Len() > 0 {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
}

// A name is free again as soon as its sbx run has ended, although libvirt takes a moment
// longer, and nothing is left of it.
func TestRunLeavesNothing(t *testing.T) {
	times := map[string]int{"lxc": 8, "kvm": 1}
	eachBackend(t, func(t *testing.T, b walled) {
		name := "gone-" + b.backend
		for range times[b.backend] {
			if got := b.run(t, nil, "--name", name, "--", "true"); got != (result{}) {
				t.Errorf("got %+v", got)
			}
		}
		b.run(t, nil, "--name", name, "--timeout", "200ms", "--", "sleep", "60")
		for limit := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) { // the other backend may be at it yet
			ps := call(t, nil, "ps")
			left, err := os.ReadDir("/var/lib/sbx/.run")
			logs, glob := filepath.Glob("/var/log/libvirt/*/" + name + ".log*")
			runs, again := filepath.Glob("/run/libvirt/*/" + name + ".*")
			logs = append(logs, runs...)
			if _, stat := os.Stat("/var/lib/sbx/" + name); err == nil && glob == nil && again == nil && len(left) == 0 && len(logs) == 0 && stat != nil && !strings.Contains(ps.stdout, name) {
				return
			}
			if time.Now().After(limit) {
				t.Fatalf("left: %v %v\n%s", left, logs, ps.stdout)
			}
		}
	})
}
