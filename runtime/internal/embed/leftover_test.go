package embed

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain is the process that a test takes for QEMU, too: it locks the file of its id, as
// libvirt has QEMU do, says so, and goes on until its input ends.
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != "hold" {
		os.Exit(m.Run())
	}
	f, err := os.OpenFile(os.Args[2], os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println()
	io.Copy(io.Discard, os.Stdin)
}

// held is such a process.
type held struct {
	pid   int
	ended <-chan error // says how, once
	end   func()
}

func hold(t *testing.T, file string, args ...string) held {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], append([]string{"hold", file}, args...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return held{cmd.Process.Pid, ended, func() { in.Close() }}
}

// A machine whose sbx was killed before it had tethered it ends before its root folder is
// cleared. A process that is not known for one is left alone, with the folder; one that
// only has the id which the file names is nobody's machine.
func TestAMachineThatIsLeft(t *testing.T) {
	dir := t.TempDir()
	file := PIDFile(dir, "web")
	machine := hold(t, file, "guest=web,debug-threads=on")
	if err := clearRoot(dir); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := <-machine.ended; !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Errorf("it has not been killed: %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its file is there: %v", err)
	}

	unknown := hold(t, file, "guest=other,debug-threads=on")
	if err := clearRoot(dir); !errors.Is(err, errMachine) {
		t.Errorf("a process that is no machine: %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	unknown.end()
	if err := <-unknown.ended; err != nil {
		t.Errorf("a process that is no machine was ended: %v", err)
	}

	later := hold(t, filepath.Join(dir, "another file"), "guest=web,debug-threads=on")
	if err := os.WriteFile(file, fmt.Append(nil, later.pid), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := clearRoot(dir); err != nil {
		t.Error(err)
	}
	later.end()
	if err := <-later.ended; err != nil {
		t.Errorf("a process that has the id of one that was a machine was ended: %v", err)
	}
}
