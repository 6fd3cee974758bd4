package qemu

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/runtime/internal/proc"
)

// KvmIsRootsOnly says whether root may open /dev/kvm and the user of QEMU may
// not, by any of its groups.
func KvmIsRootsOnly() bool {
	if _, err := os.Stat(kvmDevice); err != nil || os.Geteuid() != 0 {
		return false
	}
	account, err := FindAccount()
	if err != nil {
		return false
	}
	groups, err := account.groups()
	return err == nil && !slices.ContainsFunc(groups, func(gid int) bool {
		return User{UID: account.Shared.UID, GID: gid}.mayOpen(kvmDevice) == nil
	})
}

// WithoutKVM calls do on a thread, and so with child processes, that cannot open
// /dev/kvm. libvirt lets a QEMU that it asks for its abilities open what root may,
// and forgets the answer when it says that KVM works, but QEMU's user may not open
// it (qemuProcessQMPLaunch and virQEMUCapsIsValid of libvirt 9.0): it would ask
// anew at every start, for ten seconds and more. Where root may not mount, do is
// called all the same.
func WithoutKVM(do func() error) error {
	return proc.OnThread(func() error {
		_ = hideKVM()
		return do()
	})
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
