package lxc

import (
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/schema/diag"
)

// kept are the host's users and groups that are themselves inside.
type kept struct{ users, groups []int }

// keepIDs has the paths whose ids the profile names be mounted so that these ids are
// themselves inside. The files on the disk stay as they are.
func keepIDs(s *bound.Sandbox) error {
	for _, m := range s.Manifest.Mounts {
		if len(m.IDs) == 0 {
			continue
		}
		k, err := keptIDs(m)
		if err != nil {
			return err
		}
		users, groups := k.shown(s.Base())
		ids, err := stage.Show(users, groups)
		if err != nil {
			return fault.New(diag.NotReachable, "%s cannot keep the host's ids, for which sbx makes a user namespace: %w", m.Source, err)
		}
		s.Kept = append(s.Kept, ids)
		fits, err := s.Host[m.Target].MapIDs(ids)
		if err != nil {
			return fault.New(diag.NotReachable, "%s cannot keep the host's ids: %w", m.Source, err)
		}
		if !fits {
			return keepsNone(s, m)
		}
	}
	return nil
}

// keepsNone says that the kernel cannot show other ids at a path, and the other ways.
func keepsNone(s *bound.Sandbox, m manifest.Mount) error {
	kind, err := s.Host[m.Target].FileSystem()
	if err != nil {
		return err
	}
	return fault.New(diag.NotReachable, "%s cannot keep the host's ids: its file system, %s, has no ID-mapped mounts in this kernel (ext4, xfs, btrfs and f2fs have, tmpfs from Linux 6.3 on): "+
		"move it to one that has, or leave ids out and give the sandbox a copy of its own", m.Source, kind)
}

// KeepsIDs says whether what is at a path of the host, or would be made there, can keep
// its owners in a container.
func KeepsIDs(path string) bool {
	if !bound.Staged() {
		return false
	}
	ids, err := stage.Show([]stage.Shown{{Count: 1}}, []stage.Shown{{Count: 1}})
	if err != nil {
		return false
	}
	defer ids.Close()
	fits, err := ids.Fits(path)
	return fits && err == nil
}

// all says whether every id that there can be inside is meant.
func (k kept) all() bool { return k.users == nil && k.groups == nil }

func (k kept) hasUser(id int) bool { return k.all() || slices.Contains(k.users, id) }

// shown is what the ids are shown as, so that a sandbox whose root is the host's base
// has them as they are on the disk.
func (k kept) shown(base int) (users, groups []stage.Shown) {
	if k.all() {
		every := []stage.Shown{{Disk: 0, As: base, Count: compiler.IDCount}}
		return every, every
	}
	each := func(ids []int) (list []stage.Shown) {
		for _, id := range ids {
			list = append(list, stage.Shown{Disk: id, As: base + id, Count: 1})
		}
		return list
	}
	return each(k.users), each(k.groups)
}

// keptIDs finds those that a mount names, by this host's databases.
func keptIDs(m manifest.Mount) (k kept, err error) {
	if slices.Contains(m.IDs, manifest.AllIDs) {
		return k, nil
	}
	k = kept{[]int{}, []int{}}
	for _, name := range m.IDs {
		if err := k.add(name); err != nil {
			return k, fault.New(diag.NotReachable, "%s is to keep the ids of %q: %w", m.Source, name, err)
		}
	}
	for _, ids := range []*[]int{&k.users, &k.groups} {
		slices.Sort(*ids)
		*ids = slices.Compact(*ids)
		if n := len(*ids); n > 0 && (*ids)[n-1] >= compiler.IDCount {
			return k, fault.New(diag.NotReachable, "%s is to keep the host's id %d, and the ids inside go to %d", m.Source, (*ids)[n-1], compiler.IDCount-1)
		}
	}
	return k, nil
}

// add adds what a word of a profile stands for.
func (k *kept) add(name string) error {
	if uid, gid, ok := strings.Cut(name, ":"); ok {
		return errors.Join(add(&k.users, uid), add(&k.groups, gid))
	}
	u, userErr := lookupUser(name)
	if userErr == nil {
		if err := errors.Join(add(&k.users, u.Uid), add(&k.groups, u.Gid)); err != nil {
			return err
		}
	}
	if _, err := strconv.Atoi(name); err == nil { // known or not
		return errors.Join(add(&k.users, name), add(&k.groups, name))
	}
	g, groupErr := user.LookupGroup(name)
	if groupErr == nil {
		return add(&k.groups, g.Gid)
	}
	if userErr == nil {
		return nil
	}
	return fmt.Errorf("this host has neither a user nor a group of that name: install what brings it, or give its number (%w, %w)", userErr, groupErr)
}

// lookupUser finds a user by name or number.
func lookupUser(name string) (*user.User, error) {
	if _, err := strconv.Atoi(name); err == nil {
		return user.LookupId(name)
	}
	return user.Lookup(name)
}

func add(to *[]int, id string) error {
	n, err := strconv.Atoi(id)
	if err == nil {
		*to = append(*to, n)
	}
	return err
}
