package lxc

import (
	"fmt"
	"os/user"
	"strconv"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/schema/diag"
)

// ownerInside is to whom a writable folder belongs on the host that a container makes
// there: the host's id of the user inside, or that user itself, where its ids are
// the host's own.
func ownerInside(s *bound.Sandbox, m manifest.Mount) (bound.Owner, error) {
	to, err := s.Inside(m.Owner)
	if err != nil {
		return bound.Owner{}, err
	}
	if len(m.IDs) == 0 {
		return bound.Owner{UID: s.Base() + to.UID, GID: s.Base() + to.GID}, nil
	}
	k, err := keptIDs(m)
	if err != nil || k.hasUser(to.UID) || len(k.users) == 0 || len(k.groups) == 0 {
		return to, err
	}
	return bound.Owner{UID: k.users[0], GID: k.groups[0]}, nil
}

// checkOwners refuses a writable host path that nobody in a container could write to,
// and tells of one that its own command cannot: sbx changes no owner of what it did not
// make.
func checkOwners(s *bound.Sandbox) error {
	for _, m := range s.Manifest.Mounts {
		if m.Kind != manifest.Export || !m.Writable {
			continue
		}
		writer, err := s.Inside(s.Manifest.Run.User)
		if err != nil {
			return err
		}
		source := s.Host[m.Target]
		if source.Allows(s.Base()+writer.UID, s.Base()+writer.GID, true) == nil {
			continue
		}
		mine, err := has(s, m, source.UID)
		if err != nil {
			return err
		}
		if !mine {
			return foreign(s, m, source, writer)
		}
		if writer.UID != 0 {
			s.Log(fmt.Sprintf("%s: %s is writable, but not to %s, as whom its command runs: %s", s.Name, m.Source, s.Manifest.Run.User, giveTo(s, m, writer)))
		}
	}
	return nil
}

// has says whether a user of the host is somebody in the container, who may then be
// its root's to become.
func has(s *bound.Sandbox, m manifest.Mount, uid int) (bool, error) {
	if len(m.IDs) > 0 {
		k, err := keptIDs(m)
		return k.hasUser(uid), err
	}
	base := s.Base()
	return base == 0 || uid >= base && uid < base+compiler.IDCount, nil
}

// hasRoot says whether root inside may do with what a mount shows what the host's root
// may.
func hasRoot(s *bound.Sandbox, m manifest.Mount) (bool, error) {
	if len(m.IDs) == 0 {
		return s.Base() == 0, nil
	}
	k, err := keptIDs(m)
	return k.hasUser(0), err
}

// foreign refuses a folder whose owner nobody inside is.
func foreign(s *bound.Sandbox, m manifest.Mount, source *stage.Source, writer bound.Owner) error {
	name := strconv.Itoa(source.UID)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	if len(m.IDs) > 0 {
		return fault.New(diag.NotReachable, "%s is to be writable, but belongs to the host's user %s, whom its ids do not name: add %q to them", m.Source, name, name)
	}
	keep := ""
	if source.UID != 0 && source.UID < compiler.IDCount { // root's is not to be advised
		keep = fmt.Sprintf("give the mount ids: [%q], by which the files stay whose they are; or, if nobody else uses them, ", name)
	}
	return fault.New(diag.NotReachable, "%s is to be writable, but belongs to the host's user %s, whom the sandbox does not have: %s%s",
		m.Source, name, keep, giveTo(s, m, writer))
}

// giveTo is the command that gives what a mount shows to a user inside.
func giveTo(s *bound.Sandbox, m manifest.Mount, to bound.Owner) string {
	if len(m.IDs) == 0 {
		to.UID += s.Base()
		to.GID += s.Base()
	}
	return fmt.Sprintf("chown -R %d:%d %s", to.UID, to.GID, m.Source)
}
