package lxc

import (
	"fmt"

	"github.com/sbx-dev/sbx/internal/syscalls"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
)

// saySetuid tells of the writable folders in which root inside, where that is the
// host's own and the profile opens the calls that it takes, can leave programs that
// make whoever runs them on the host root. Inside they do not: what a sandbox sees of
// the host obeys no such bits.
func saySetuid(s *bound.Sandbox) error {
	if !syscalls.Open(s.Manifest.Run.Syscalls, "chmod") {
		return nil
	}
	for _, m := range s.Manifest.Mounts {
		source := s.Host[m.Target]
		if source == nil || !m.Writable {
			continue
		}
		root, err := hasRoot(s, m)
		if err != nil {
			return err
		}
		obeyed, err := source.ObeysSetuid()
		if err != nil {
			return err
		}
		if root && obeyed {
			s.Log(fmt.Sprintf("%s: root inside is the host's there (users: namespace: false, or ids) and may write in %s: a program that it marks set-user-id there makes whoever runs it on the host root: mount that with nosuid on the host, or give the sandbox ids of its own", s.Name, m.Source))
		}
	}
	return nil
}
