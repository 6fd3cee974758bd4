package runtime

import "github.com/sbx-dev/sbx/internal/stage"

// takeOwnFiles makes the writable folders that are missing, and sees to it that
// files of the sandbox's own id are QEMU's to use, whoever QEMU runs as: where the
// sandbox is a container, they are its root's, and it may be one at any time. On the
// machine's stage QEMU's user and group and that id stand in each other's place, where
// the file system can show it so.
func (s *sandbox) takeOwnFiles() error {
	id := int(s.metadata.Machine.ID)
	shared := func(string) (int, int, error) { return s.qemu.uid, s.qemu.gid, nil }
	if !staged() || id == 0 { // root's files are not the sandbox's own
		return s.makeWritable(shared)
	}
	swap, err := stage.NewSwap([2]int{id, s.qemu.uid}, [2]int{id, s.qemu.gid})
	if err != nil { // this host has no user namespaces
		return s.makeWritable(shared)
	}
	s.swap = swap
	err = s.makeWritable(func(path string) (int, int, error) {
		if fits, err := swap.Fits(path); !fits || err != nil {
			return s.qemu.uid, s.qemu.gid, err
		}
		return id, id, nil
	})
	if err != nil {
		return err
	}
	for _, source := range s.host {
		if source.UID != id {
			continue
		}
		if _, err := source.SwapIDs(swap); err != nil {
			return err
		}
	}
	return nil
}
