package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// probe has the embedded driver find out what QEMU can do, which it remembers
// for as long as QEMU, libvirt and the kernel stay the same. That takes up to a
// minute, of which it says a word.
func (r *Runtime) probe(conn *libvirt.Connect) error {
	ask := func() error {
		_, err := conn.GetCapabilities()
		return virt.Plain(err)
	}
	if kvmIsRootsOnly() {
		return r.tellOfProbe(func() error { return withoutKVM(ask) })
	}
	known, err := filepath.Glob(r.state().Path(state.Embed, state.EmbedCache, "qemu/capabilities/*.xml"))
	if err != nil || len(known) > 0 {
		return err
	}
	return r.tellOfProbe(ask)
}

// What is known already is read in a tenth of the first time.
const (
	probeNotice = time.Second
	probeTick   = 10 * time.Second
)

// tellOfProbe says what takes so long, if it takes long.
func (r *Runtime) tellOfProbe(ask func() error) error {
	start, done := time.Now(), make(chan error, 1)
	go func() { done <- ask() }()
	notice := "finding out what QEMU can do here, this once; it may take a minute"
	for wait := probeNotice; ; wait = probeTick {
		select {
		case err := <-done:
			return err
		case <-time.After(wait):
			r.options.Log(notice)
			notice = fmt.Sprintf("still asking QEMU, for %v so far", (time.Since(start) + probeTick).Round(time.Second))
		}
	}
}

// kvmIsRootsOnly says whether root may open /dev/kvm and the user of QEMU may
// not, by any of its groups.
func kvmIsRootsOnly() bool {
	if _, err := os.Stat(kvmDevice); err != nil || os.Geteuid() != 0 {
		return false
	}
	account, err := qemuAccount()
	if err != nil {
		return false
	}
	groups, err := account.groups()
	return err == nil && !slices.ContainsFunc(groups, func(gid int) bool {
		return qemuUser{UID: account.shared.UID, GID: gid}.mayOpen(kvmDevice) == nil
	})
}

// withoutKVM calls do on a thread, and so with child processes, that cannot open
// /dev/kvm. libvirt lets a QEMU that it asks for its abilities open what root may,
// and forgets the answer when it says that KVM works, but QEMU's user may not open
// it (qemuProcessQMPLaunch and virQEMUCapsIsValid of libvirt 9.0): it would ask
// anew at every start, for ten seconds and more. Where root may not mount, do is
// called all the same.
func withoutKVM(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		_ = hideKVM()
		done <- do()
	}()
	return <-done
}

// hideKVM gives this thread mounts of its own, in which /dev/kvm is no device.
func hideKVM() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount(kvmDevice, kvmDevice, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	return unix.Mount("", kvmDevice, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_NODEV, "")
}
