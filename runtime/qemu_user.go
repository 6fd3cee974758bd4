package runtime

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/eyes"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// qemuUser is whom QEMU runs as: never root. What that user may do on the host
// is the most that a guest that has broken out of QEMU may do.
type qemuUser struct{ UID, GID int }

// qemuAccounts are libvirt's unprivileged users, by distribution.
var qemuAccounts = []string{"libvirt-qemu", "qemu"}

// chooseUser has QEMU run as a host id that is the sandbox's alone. Where that
// id may not open /dev/kvm, it is libvirt's own user, shared with its other
// machines. Nothing on the host changes its owner for QEMU's sake.
func (s *sandbox) chooseUser(accel string) error {
	if os.Geteuid() != 0 {
		s.qemu = qemuUser{UID: os.Geteuid(), GID: os.Getegid()}
		return nil
	}
	account, err := qemuAccount()
	if err != nil {
		return err
	}
	s.qemu = account.shared
	if own := account.as(int(s.metadata.Machine.ID)); own.UID != 0 && own.mayRun(accel) {
		s.qemu = own
	}
	s.domain.SecLabel = append(s.domain.SecLabel, libvirtxml.DomainSecLabel{
		Type: "static", Model: "dac", Relabel: "no",
		Label: fmt.Sprintf("+%d:+%d", s.qemu.UID, s.qemu.GID),
	})
	return nil
}

// account is libvirt's unprivileged user and the group of the same name.
type account struct {
	shared qemuUser
	group  int
}

// as is a user with an id of its own; the group lets it pass through libvirt's
// folders.
func (a account) as(id int) qemuUser { return qemuUser{UID: id, GID: a.group} }

// groups are all that libvirt's user is in.
func (a account) groups() ([]int, error) {
	u, err := user.LookupId(strconv.Itoa(a.shared.UID))
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

// mayRun says whether a QEMU of this user would get its accelerator.
func (q qemuUser) mayRun(accel string) bool {
	return accel != AccelKVM || q.mayOpen(kvmDevice) == nil
}

// checkKVMUser says why no user that QEMU may run as here can open /dev/kvm.
func checkKVMUser() error {
	if os.Geteuid() != 0 {
		return nil
	}
	account, err := qemuAccount()
	if err != nil || account.shared.mayRun(AccelKVM) || account.as(compiler.IDFirst).mayRun(AccelKVM) {
		return err
	}
	return fmt.Errorf("QEMU does not run as root, and user %d may not open /dev/kvm: chgrp kvm /dev/kvm && chmod 0660 /dev/kvm, by a udev rule", account.shared.UID)
}

// QEMUUser says, for a person, whom QEMU runs as on this host. Where that is one user
// for all machines, mend says what gives each its own.
func QEMUUser() (text, mend string, err error) {
	if os.Geteuid() != 0 {
		return fmt.Sprintf("QEMU runs as you (user %d), by libvirt's embedded driver", os.Geteuid()), "", nil
	}
	account, err := qemuAccount()
	if err != nil {
		return "", "", err
	}
	const drivers = "by libvirtd and by libvirt's embedded driver"
	if CheckKVM() == nil && !account.as(compiler.IDFirst).mayRun(AccelKVM) {
		// The group of libvirt's user, who opens it already: nobody else gains anything.
		mend = fmt.Sprintf("setfacl -m g:%d:rw /dev/kvm, as the udev rule 70-sbx-kvm.rules does where setfacl is installed (apt install acl)", account.group)
		return fmt.Sprintf("QEMU runs as user %d for all machines, %s: ids of their own may not open /dev/kvm", account.shared.UID, drivers), mend, nil
	}
	return "QEMU runs as an id of each sandbox's own, " + drivers, "", nil
}

func qemuAccount() (account, error) {
	for _, name := range qemuAccounts {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		a := account{shared: qemuUser{UID: uid, GID: gid}, group: gid}
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

// libvirtFolder is where libvirtd keeps, for each machine, what its QEMU must reach
// and others must not, such as master-key.aes. libvirtd gives it to the user and the
// group of its qemu.conf.
const libvirtFolder = "/var/lib/libvirt/qemu"

// checkLibvirtFolder says why the user cannot get there. Its group must not be
// root's or another one that reads the host's files, so sbx does not take the
// folder's.
func (q qemuUser) checkLibvirtFolder() error {
	closed := eyes.Blocked(q.UID, q.GID, filepath.Join(libvirtFolder, "x"))
	if closed == "" {
		return nil
	}
	return fault.New(diag.NotReachable, "QEMU, which runs as the host's user %d and group %d, may not search %s, in which libvirtd keeps what it must reach: %s", q.UID, q.GID, closed, LibvirtFolderMend)
}

// LibvirtFolderMend is what to do where QEMU cannot get to libvirt's folder.
const LibvirtFolderMend = "take user and group out of /etc/libvirt/qemu.conf and restart libvirtd, or chmod o+x " + libvirtFolder

// CheckLibvirtFolder says why the QEMU of a machine by libvirtd could not start here
// by what its folder is. It is nil for who is not root and so has no such machines.
func CheckLibvirtFolder() error {
	if os.Geteuid() != 0 {
		return nil
	}
	account, err := qemuAccount()
	if err != nil {
		return err
	}
	return account.as(compiler.IDFirst).checkLibvirtFolder()
}

// mayNot says that the user may not use what has been opened, and what to do: best is
// to whom it would belong.
func (q qemuUser) mayNot(source *stage.Source, write bool, best owner) error {
	verb, bits := "read", "rx"
	if write {
		verb, bits = "write", "rwx"
	}
	return fault.New(diag.NotReachable, "QEMU, which runs as the host's user %d, may not %s %s, which belongs to user %d: chown -R %d:%d %s, or setfacl -R -m u:%d:%s %s",
		q.UID, verb, source.Path, source.UID, best.UID, best.GID, source.Path, q.UID, bits, source.Path)
}

// mayOpen is nil if the user may read and write the device at a path.
func (q qemuUser) mayOpen(path string) error {
	return eyes.Of(q.UID, q.GID, func() error {
		return unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK|unix.W_OK, unix.AT_EACCESS)
	})
}

// machineIDs are the host ids whose files a machine has: the one that its QEMU runs
// as, but for libvirt's own user, and the one that sbx has given it (see takeOwnFiles).
func machineIDs(d *libvirtxml.Domain) []uint64 {
	var ids []uint64
	for _, l := range d.SecLabel {
		label, numeric := strings.CutPrefix(l.Label, "+")
		uid, _, _ := strings.Cut(label, ":")
		id, err := strconv.ParseUint(uid, 10, 32)
		if l.Model != "dac" || l.Type != "static" || !numeric || err != nil {
			continue
		}
		if shared, err := qemuAccount(); err != nil || id != uint64(shared.shared.UID) {
			ids = append(ids, id)
		}
	}
	if d.Metadata == nil {
		return ids
	}
	m, err := compiler.DecodeMetadata(d.Metadata.XML)
	if err == nil && m.Machine != nil && m.Machine.ID != 0 && !slices.Contains(ids, uint64(m.Machine.ID)) {
		ids = append(ids, uint64(m.Machine.ID))
	}
	return ids
}
