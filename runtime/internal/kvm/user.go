package kvm

import (
	"fmt"
	"os"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/schema/diag"
)

// chooseUser has QEMU run as a host id that is the sandbox's alone. Where that
// id may not open /dev/kvm, it is libvirt's own user, shared with its other
// machines. Nothing on the host changes its owner for QEMU's sake.
func chooseUser(s *bound.Sandbox, accel string) error {
	if os.Geteuid() != 0 {
		s.QEMU = qemu.User{UID: os.Geteuid(), GID: os.Getegid()}
		return nil
	}
	account, err := qemu.FindAccount()
	if err != nil {
		return err
	}
	s.QEMU = account.Shared
	if own := account.As(int(s.Metadata.Machine.ID)); own.UID != 0 && own.MayRun(accel) {
		s.QEMU = own
	}
	s.Domain.SecLabel = append(s.Domain.SecLabel, libvirtxml.DomainSecLabel{
		Type: "static", Model: "dac", Relabel: "no",
		Label: fmt.Sprintf("+%d:+%d", s.QEMU.UID, s.QEMU.GID),
	})
	return nil
}

// mayNot says that the user may not use what has been opened, and what to do: best is
// to whom it would belong.
func mayNot(q qemu.User, source *stage.Source, write bool, best bound.Owner) error {
	verb, bits := "read", "rx"
	if write {
		verb, bits = "write", "rwx"
	}
	return fault.New(diag.NotReachable, "QEMU, which runs as the host's user %d, may not %s %s, which belongs to user %d: chown -R %d:%d %s, or setfacl -R -m u:%d:%s %s",
		q.UID, verb, source.Path, source.UID, best.UID, best.GID, source.Path, q.UID, bits, source.Path)
}
