package proc

import (
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Who speaks with a process over a socket learns of its end when it has been reaped, and
// not while it is dead and there.
func TestKillReaped(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	cmd := exec.Command("sleep", "1000")
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	pid := cmd.Process.Pid
	gone := make(chan bool, 1)
	go func() {
		_, _ = io.ReadAll(ours)
		gone <- syscall.Kill(pid, 0) == syscall.ESRCH
	}()
	dead := WatchEnd(pid)
	defer dead.Close()
	go func() {
		dead.AwaitFor(time.Minute)
		time.Sleep(20 * time.Millisecond) // in which it would be seen
		_ = cmd.Wait()
	}()
	end := WatchEnd(pid)
	defer end.Close()
	end.killReaped(pid, time.Minute, time.Minute)
	if !<-gone {
		t.Error("its end was seen before it was reaped")
	}
	if held := end.sockets(pid); held != nil {
		t.Errorf("%d sockets of what has ended", len(held))
	}
}

// A process that is about to end is one, and neither one that runs nor one that is gone.
func TestEnds(t *testing.T) {
	cmd, _ := running(t)
	pid := cmd.Process.Pid
	if Ends(pid) {
		t.Error("it runs")
	}
	end := WatchEnd(pid)
	defer end.Close()
	end.Kill(time.Minute)
	if !Ends(pid) {
		t.Error("it is dead, and nobody has reaped it")
	}
	_ = cmd.Wait()
	if Ends(pid) {
		t.Error("it is gone")
	}
}
