package bound

import (
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/stage"
)

// owner is a user and a group of the host to whom files belong.
type owner struct{ UID, GID int }

// TakeOwnFiles makes the writable folders that are missing, and sees to it that
// files of the sandbox's own id are QEMU's to use, whoever QEMU runs as: where the
// sandbox is a container, they are its root's, and it may be one at any time. On the
// machine's stage QEMU's user and group and that id stand in each other's place, where
// the file system can show it so.
func (s *Sandbox) TakeOwnFiles() error {
	id := int(s.Metadata.Machine.ID)
	if Staged() && id != 0 { // root's files are not the sandbox's own
		swap, err := stage.NewSwap([2]int{id, s.QEMU.UID}, [2]int{id, s.QEMU.GID})
		if err == nil { // or this host has no user namespaces
			s.swap = swap
		}
	}
	if err := s.MakeWritable(s.ownerOf); err != nil || s.swap == nil {
		return err
	}
	for _, source := range s.host {
		if source.UID != id {
			continue
		}
		if _, err := source.MapIDs(s.swap); err != nil {
			return err
		}
	}
	return nil
}

// ownerOf is to whom a path of the host belongs where the machine may do with it what
// it likes: the sandbox's id, if QEMU's user can stand in its place there.
func (s *Sandbox) ownerOf(m manifest.Mount) (owner, error) {
	if s.swap != nil {
		if fits, err := s.swap.Fits(m.Source); fits || err != nil {
			id := int(s.Metadata.Machine.ID)
			return owner{id, id}, err
		}
	}
	return owner(s.QEMU), nil
}
