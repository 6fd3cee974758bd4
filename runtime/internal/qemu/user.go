package qemu

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/eyes"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// User is whom QEMU runs as: never root. What that user may do on the host
// is the most that a guest that has broken out of QEMU may do.
type User struct{ UID, GID int }

// qemuAccounts are libvirt's unprivileged users, by distribution.
var qemuAccounts = []string{"libvirt-qemu", "qemu"}

// account is libvirt's unprivileged user and the group of the same name.
type account struct {
	Shared User
	group  int
}

// As is a user with an id of its own; the group lets it pass through libvirt's
// folders.
func (a account) As(id int) User { return User{UID: id, GID: a.group} }

// groups are all that libvirt's user is in.
func (a account) groups() ([]int, error) {
	u, err := user.LookupId(strconv.Itoa(a.Shared.UID))
	if err != nil {
		return nil, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	var groups []int
	for _, id := range ids {
		gid, err := strconv.Atoi(id)
		if err != nil {
			return nil, err
		}
		groups = append(groups, gid)
	}
	return groups, nil
}

// MayRun says whether a QEMU of this user would get its accelerator.
func (q User) MayRun(accel string) bool {
	return accel != AccelKVM || q.mayOpen(kvmDevice) == nil
}

// checkKVMUser says why no user that QEMU may run as here can open /dev/kvm.
func checkKVMUser() error {
	if os.Geteuid() != 0 {
		return nil
	}
	account, err := FindAccount()
	if err != nil || account.Shared.MayRun(AccelKVM) || account.As(compiler.IDFirst).MayRun(AccelKVM) {
		return err
	}
	return fmt.Errorf("QEMU does not run as root, and user %d may not open /dev/kvm: chgrp kvm /dev/kvm && chmod 0660 /dev/kvm, by a udev rule", account.Shared.UID)
}

// QEMUUser says, for a person, whom QEMU runs as on this host. Where that is one user
// for all machines, mend says what gives each its own.
func DescribeUser() (text, mend string, err error) {
	if os.Geteuid() != 0 {
		return fmt.Sprintf("QEMU runs as you (user %d), by libvirt's embedded driver", os.Geteuid()), "", nil
	}
	account, err := FindAccount()
	if err != nil {
		return "", "", err
	}
	const drivers = "by libvirtd and by libvirt's embedded driver"
	if CheckKVM() == nil && !account.As(compiler.IDFirst).MayRun(AccelKVM) {
		// The group of libvirt's user, who opens it already: nobody else gains anything.
		mend = fmt.Sprintf("setfacl -m g:%d:rw /dev/kvm, as the udev rule 70-sbx-kvm.rules does where setfacl is installed (apt install acl)", account.group)
		return fmt.Sprintf("QEMU runs as user %d for all machines, %s: ids of their own may not open /dev/kvm", account.Shared.UID, drivers), mend, nil
	}
	return "QEMU runs as an id of each sandbox's own, " + drivers, "", nil
}

// FindAccount looks for libvirt's unprivileged user on this host.
func FindAccount() (account, error) {
	for _, name := range qemuAccounts {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		a := account{Shared: User{UID: uid, GID: gid}, group: gid}
		if g, err := user.LookupGroup(name); err == nil {
			a.group, err2 = strconv.Atoi(g.Gid)
		}
		if uid == 0 {
			return a, fmt.Errorf("the user %s is root, as whom QEMU must not run", name)
		}
		return a, errors.Join(err1, err2)
	}
	return account{}, fmt.Errorf("no unprivileged user for QEMU: install libvirt's QEMU driver (Debian: libvirt-daemon-driver-qemu)")
}

// LibvirtFolder is where libvirtd keeps, for each machine, what its QEMU must reach
// and others must not, such as master-key.aes. libvirtd gives it to the user and the
// group of its qemu.conf.
const LibvirtFolder = "/var/lib/libvirt/qemu"

// CheckLibvirtFolder says why the user cannot get there. Its group must not be
// root's or another one that reads the host's files, so sbx does not take the
// folder's.
func (q User) CheckLibvirtFolder() error {
	closed := eyes.Blocked(q.UID, q.GID, filepath.Join(LibvirtFolder, "x"))
	if closed == "" {
		return nil
	}
	return fault.New(diag.NotReachable, "QEMU, which runs as the host's user %d and group %d, may not search %s, in which libvirtd keeps what it must reach: %s", q.UID, q.GID, closed, LibvirtFolderMend)
}

// LibvirtFolderMend is what to do where QEMU cannot get to libvirt's folder.
const LibvirtFolderMend = "take user and group out of /etc/libvirt/qemu.conf and restart libvirtd, or chmod o+x " + LibvirtFolder

// CheckLibvirtFolder says why the QEMU of a machine by libvirtd could not start here
// by what its folder is. It is nil for who is not root and so has no such machines.
func CheckLibvirtFolder() error {
	if os.Geteuid() != 0 {
		return nil
	}
	account, err := FindAccount()
	if err != nil {
		return err
	}
	return account.As(compiler.IDFirst).CheckLibvirtFolder()
}

// mayOpen is nil if the user may read and write the device at a path.
func (q User) mayOpen(path string) error {
	return eyes.Of(q.UID, q.GID, func() error {
		return unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK|unix.W_OK, unix.AT_EACCESS)
	})
}
