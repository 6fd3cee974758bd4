package runtime_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/plan"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Now and then libvirt 9.0 does not see that a container's process is gone: for it, the
// container runs for ever. Here it is kept from that by somebody who has the process's
// sockets, too.
func TestAnEndThatLibvirtDoesNotSee(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	b := compileText(t, idleProfile("unseen"))
	up(t, r, b)
	killUnseen(t, "unseen")
	if state := stateOf(t, r, "unseen"); state != "stopped" {
		t.Errorf("ps calls it %s", state)
	}
	if p, err := r.Plan([]*compiler.Bundle{b}, false); err != nil || !slices.Contains(plan.Objects(p.Changes), "state") {
		t.Errorf("plan: %+v, %v", p, err)
	}
	if result, err := r.Up(t.Context(), b); err != nil || !result.Restarted {
		t.Fatalf("up: %+v, %v", result, err)
	}
	if state := stateOf(t, r, "unseen"); state != "running" {
		t.Errorf("after up, ps calls it %s", state)
	}
	killUnseen(t, "unseen")
	for words, call := range map[string]func() error{
		"is stopped: sbx up unseen starts it":                              func() error { _, err := r.Attach(t.Context(), "unseen"); return err },
		"is stopped, and how its command ended is noted nowhere: somebody": func() error { _, err := r.Wait(t.Context(), "unseen"); return err },
	} {
		if err := call(); fault.Code(err) != diag.NoSandbox || !strings.Contains(err.Error(), "unseen "+words) {
			t.Errorf("%v: it is to say that it %s", err, words)
		}
	}
	if _, err := r.Stop(t.Context(), "unseen"); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// stateOf is what ps shows of a sandbox.
func stateOf(t *testing.T, r *runtime.Runtime, name string) string {
	t.Helper()
	list, err := r.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.Name == name {
			return s.State
		}
	}
	return "nothing"
}

// containerOf is a container that runs, and libvirt's process for it.
func containerOf(t *testing.T, name string) (dom *libvirt.Domain, controller int) {
	t.Helper()
	dom, err := containers(t).LookupDomainByName(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dom.Free() })
	id, err := dom.GetID()
	if err != nil {
		t.Fatal(err)
	}
	return dom, int(id)
}

// killUnseen kills a container's controller, whose sockets stay open.
func killUnseen(t *testing.T, name string) {
	t.Helper()
	dom, id := containerOf(t, name)
	process, err := unix.PidfdOpen(id, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(process)
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", id))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range open {
		fd, _ := strconv.Atoi(e.Name())
		ours, err := unix.PidfdGetfd(process, fd, 0)
		if err == unix.EBADF { // of a passing moment
			continue
		}
		if err != nil {
			t.Fatalf("descriptor %d of libvirt's process: %v", fd, err)
		}
		t.Cleanup(func() { unix.Close(ours) })
	}
	if err := unix.PidfdSendSignal(process, unix.SIGKILL, nil, 0); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}, int(time.Minute/time.Millisecond)); n != 1 || err != nil {
		t.Fatalf("a killed process has not ended for a minute: %v", err)
	}
	if active, err := dom.IsActive(); !active || err != nil {
		t.Fatalf("libvirt has seen it: %v", err)
	}
}
