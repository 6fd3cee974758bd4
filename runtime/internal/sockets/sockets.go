// Package sockets keeps the folders of unix sockets between sandboxes. One is in the
// state folder, where nobody else comes at it, and both sandboxes have it mounted: the
// server to make its socket there, each client read-only. It outlives a stop of either, so
// that a client that runs on finds the socket of a server that has started again.
//
// Both have to say so. What each says is what its first process was told, which stands in
// its folder from before its mounts are made: whoever of the two comes second reads the
// first one's, under one lock. A client that the server does not name is refused. A server
// that is to have a client no longer, which has the folder still, gets a new one.
package sockets

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/hostpath"
	"github.com/sbx-dev/sbx/internal/mac"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/selinux"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Folders are those of a state folder.
type Folders struct{ state.Folder }

// orders is what a container's first process was told, by whatever version of sbx: it may
// run still; nil where there is none of the name. No other kind of sandbox has sockets with
// others.
func (f Folders) orders(sandbox string) (*manifest.Manifest, error) {
	data, err := os.ReadFile((&kinds.Kind{Manifest: state.Own}).ManifestFile(f.Path(sandbox)))
	if err != nil {
		return nil, ignoreAbsence(err)
	}
	m := new(manifest.Manifest)
	if err := json.Unmarshal(data, m); err != nil { // Decode would refuse other versions'
		return nil, fmt.Errorf("what %s was told cannot be read: sbx up %[1]s writes it anew (%w)", sandbox, err)
	}
	return m, nil
}

// Open opens the folders of a sandbox that is about to start, and has them show ids as
// its own. Its orders must be written.
func (f Folders) Open(ctx context.Context, s *bound.Sandbox) error {
	for _, m := range s.Manifest.Mounts {
		if m.Kind != manifest.Socket {
			continue
		}
		if err := refuseSELinux(s, m); err != nil {
			return err
		}
		if err := f.open(ctx, s, m); err != nil {
			return err
		}
	}
	return nil
}

// refuseSELinux refuses what its policy would: sandboxes have types of their own, and no
// rule lets one speak with another one.
func refuseSELinux(s *bound.Sandbox, m manifest.Mount) error {
	if selinux.Of(s.Domain) == "" || !mac.Host("/").SELinuxEnforces() {
		return nil
	}
	return fault.New(diag.SELinux, "the socket at %s cannot be shared here: sbx's policies for SELinux let no sandbox speak with another one by sockets: let them speak over a network (tcp), or run both where SELinux does not enforce", filepath.Join(m.Target, m.Source))
}

func (f Folders) open(ctx context.Context, s *bound.Sandbox, m manifest.Mount) error {
	end := of(s.Name, m)
	source, err := f.agree(ctx, s, m, end)
	if err != nil {
		return err
	}
	s.Host[m.Target] = source
	if m.Writable {
		if err := settle(s, m, source); err != nil {
			return fmt.Errorf("%s: %w", source.Path, err)
		}
	}
	s.Metadata.Sources = append(s.Metadata.Sources, compiler.SourceMetadata{Path: source.Path, Target: m.Target, Writable: m.Writable, ID: source.ID.String()})
	return f.mapIDs(s, source, end)
}

// mapIDs has the folder show its ids as the sandbox's own, each by its number.
func (f Folders) mapIDs(s *bound.Sandbox, source *stage.Source, end socket) error {
	shown := []stage.Shown{{Disk: int(compiler.SocketIDs(end.server)), As: s.Base(), Count: compiler.IDCount}}
	ids, err := stage.Show(shown, shown)
	if err != nil {
		return fault.New(diag.NotReachable, "the socket %s cannot be shared, for which sbx makes a user namespace: %w", end.name, err)
	}
	s.Kept = append(s.Kept, ids)
	fits, err := source.MapIDs(ids)
	if err != nil || fits {
		return err
	}
	kind, err := source.FileSystem()
	if err != nil {
		return err
	}
	return fault.New(diag.NotReachable, "the socket %s cannot be shared: %s is on %s, which has no ID-mapped mounts in this kernel (ext4, xfs, btrfs and f2fs have, tmpfs from Linux 6.3 on): have the state folder on one that has, or let them speak over a network (tcp)", end.name, f.Path(), kind)
}

// settle makes the folder the server's, as its profile has it, and empty: what an
// earlier run has left there answers nobody.
func settle(s *bound.Sandbox, m manifest.Mount, source *stage.Source) error {
	dir, err := os.OpenFile(source.Real, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := empty(dir); err != nil {
		return err
	}
	to, err := s.Inside(m.Owner)
	if err != nil {
		return err
	}
	first := int(compiler.SocketIDs(s.Name))
	if err := dir.Chown(first+to.UID, first+to.GID); err != nil { // first: it clears mode bits
		return err
	}
	return unix.Fchmod(int(dir.Fd()), uint32(cmp.Or(m.Mode, 0o755)))
}

// empty removes all that is in an open folder, by what is open and not by its name.
func empty(dir *os.File) error {
	for {
		names, err := dir.Readdirnames(512)
		for _, name := range names {
			if err := os.RemoveAll(filepath.Join(hostpath.Descriptor(dir), name)); err != nil {
				return err
			}
		}
		switch {
		case len(names) > 0:
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
		if _, err := dir.Seek(0, 0); err != nil {
			return err
		}
	}
}

// socket is one of a server's.
type socket struct{ server, name string }

// of is the socket that a sandbox's mount is an end of.
func of(sandbox string, m manifest.Mount) socket { return socket{cmp.Or(m.From, sandbox), m.Source} }

// agree opens the folder, if both ends say that it is to be, and makes it where it is not
// there. It does so under the lock: the server may leave the folder behind in the next
// moment, and another one be in its place, which is not for this sandbox.
func (f Folders) agree(ctx context.Context, s *bound.Sandbox, m manifest.Mount, end socket) (*stage.Source, error) {
	unlock, err := f.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if m.Writable {
		err = f.leaveBehind(s, m, end)
	} else {
		err = f.checkGiven(s, end)
	}
	if err != nil {
		return nil, err
	}
	around, err := f.Make(state.Sockets, end.server)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(around, end.name)
	if err := makeFolder(path, int(compiler.SocketIDs(end.server))); err != nil {
		return nil, err
	}
	return stage.Open(path)
}

func makeFolder(path string, owner int) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		if errors.Is(err, os.ErrExist) {
			return nil
		}
		return err
	}
	return errors.Join(os.Lchown(path, owner, owner), os.Chmod(path, 0o755))
}

// checkGiven refuses a client whose server does not say that it is one.
func (f Folders) checkGiven(s *bound.Sandbox, end socket) error {
	orders, err := f.orders(end.server)
	if err != nil {
		return err
	}
	if orders == nil {
		s.Log(fmt.Sprintf("%s: nobody answers at its socket %s until %s is up, whose it is: sbx up %s", s.Name, end.name, end.server, end.server))
		return nil
	}
	for _, m := range orders.Mounts {
		switch {
		case m.Kind != manifest.Socket || !m.Writable || of(end.server, m) != end:
		case slices.Contains(m.To, s.Name):
			return nil
		default:
			return fault.New(diag.NotGiven, "%s does not give it the socket %s, but %s: where it is to have it, add %q to the socket's to in %s's profile, and sbx up %s %s",
				end.server, end.name, strings.Join(m.To, ", "), s.Name, end.server, end.server, s.Name)
		}
	}
	return fault.New(diag.NotGiven, "%s has no socket %s for others: mount it there as socket: {to: [%q]}, or name it as it is called there, and sbx up %s %s", end.server, end.name, s.Name, end.server, s.Name)
}

// leaveBehind takes the folder away that a sandbox may have which the server does not
// name any more. Those that it does name have to be started anew for the new one.
func (f Folders) leaveBehind(s *bound.Sandbox, m manifest.Mount, end socket) error {
	path := f.Path(state.Sockets, end.server, end.name)
	if _, err := os.Lstat(path); err != nil {
		return ignoreAbsence(err)
	}
	clients, err := f.clients(end)
	if err != nil {
		return err
	}
	stays := func(name string) bool { return slices.Contains(m.To, name) }
	strangers := slices.DeleteFunc(slices.Clone(clients), stays)
	if len(strangers) == 0 {
		return nil
	}
	s.Log(fmt.Sprintf("%s: its socket %s is in a new folder, because %s, to which it is not given, may have the older one", s.Name, end.name, strings.Join(strangers, ", ")))
	if others := slices.DeleteFunc(clients, func(name string) bool { return !stays(name) }); len(others) > 0 {
		s.Log(fmt.Sprintf("%s: those that run of %s do not find it there until they are started anew: sbx restart %s", s.Name, strings.Join(others, ", "), strings.Join(others, " ")))
	}
	return f.discard(path)
}
