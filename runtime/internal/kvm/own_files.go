package kvm

import (
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
)

// takeOwnFiles makes the writable folders that are missing, and sees to it that
// files of the sandbox's own id are QEMU's to use, whoever QEMU runs as: where the
// sandbox is a container, they are its root's, and it may be one at any time. On the
// machine's stage QEMU's user and group and that id stand in each other's place, where
// the file system can show it so.
func takeOwnFiles(s *bound.Sandbox) error {
	id := int(s.Metadata.Machine.ID)
	if bound.Staged() && id != 0 { // root's files are not the sandbox's own
		swap, err := stage.NewSwap([2]int{id, s.QEMU.UID}, [2]int{id, s.QEMU.GID})
		if err == nil { // or this host has no user namespaces
			s.Swap = swap
		}
	}
	if err := s.MakeWritable(func(m manifest.Mount) (bound.Owner, error) { return ownerOf(s, m) }); err != nil || s.Swap == nil {
		return err
	}
	for _, source := range s.Host {
		if source.UID != id {
			continue
		}
		if _, err := source.MapIDs(s.Swap); err != nil {
			return err
		}
	}
	return nil
}

// ownerOf is to whom a path of the host belongs where the machine may do with it what
// it likes: the sandbox's id, if QEMU's user can stand in its place there.
func ownerOf(s *bound.Sandbox, m manifest.Mount) (bound.Owner, error) {
	if s.Swap != nil {
		if fits, err := s.Swap.Fits(m.Source); fits || err != nil {
			id := int(s.Metadata.Machine.ID)
			return bound.Owner{UID: id, GID: id}, err
		}
	}
	return bound.Owner(s.QEMU), nil
}
