package lxc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/cgroup"
	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/nic"
	"github.com/sbx-dev/sbx/runtime/internal/rootfs"
	"github.com/sbx-dev/sbx/runtime/internal/sockets"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// backend runs sandboxes as containers.
type backend struct{ host *kinds.Host }

// Prepare makes everything on the host that the container's domain names.
func (l backend) Prepare(ctx context.Context, s *bound.Sandbox) error {
	defer s.CloseHost()
	if err := checkDevices(s.Manifest.Devices); err != nil {
		return err
	}
	if err := s.OpenHost(); err != nil {
		return err
	}
	if err := s.MakeWritable(func(m manifest.Mount) (bound.Owner, error) { return ownerInside(s, m) }); err != nil {
		return err
	}
	if err := keepIDs(s); err != nil {
		return err
	}
	if err := checkOwners(s); err != nil {
		return err
	}
	if err := s.SayCovered(); err != nil {
		return err
	}
	if err := saySetuid(s); err != nil {
		return err
	}
	if err := s.SayLost(); err != nil {
		return err
	}
	s.SayEndpoints()
	if err := l.Clear(s.Dir); err != nil {
		return err
	}
	if _, err := l.host.Folder.Make(s.Name); err != nil {
		return err
	}
	base := s.Base()
	if err := (rootfs.Folder{Dir: filepath.Join(s.Dir, state.Root), UID: base, GID: base}).Build(s.Manifest, s.IsFolder); err != nil {
		return err
	}
	if err := writeInline(s); err != nil {
		return err
	}
	if err := l.writeOwn(ctx, s, base); err != nil {
		return err
	}
	if err := (sockets.Folders{Folder: l.host.Folder}).Open(ctx, s); err != nil {
		return err
	}
	if err := s.StageContainer(); err != nil {
		return err
	}
	return confinement.Load(s)
}

// writeInline writes the files whose content is the profile's. On the host only
// root and the sandbox come at them.
func writeInline(s *bound.Sandbox) error {
	dir, base := filepath.Join(s.Dir, state.Files), s.Base()
	if err := hostfile.MkdirOwned(dir, 0, base, 0o750); err != nil {
		return err
	}
	for _, m := range s.Manifest.Mounts {
		if m.Kind != manifest.Inline {
			continue
		}
		content, err := bound.InlineContent(m)
		if err != nil {
			return err
		}
		to, err := s.Inside(m.Owner)
		if err != nil {
			return err
		}
		if err := hostfile.WriteOwned(compiler.InlineFile(dir, m.Target), content, base+to.UID, base+to.GID, fs.FileMode(m.Mode)&fs.ModePerm); err != nil {
			return err
		}
	}
	return nil
}

// writeOwn makes the folder that the container sees as /.sbx: its first process
// and that one's manifest.
func (l backend) writeOwn(ctx context.Context, s *bound.Sandbox, base int) error {
	dir := filepath.Join(s.Dir, state.Own)
	if err := hostfile.MkdirOwned(dir, 0, base, 0o750); err != nil {
		return err
	}
	manifest, err := s.Manifest.Encode()
	if err != nil {
		return err
	}
	partial := filepath.Join(dir, ".new") // another sbx may look for sockets in it just now
	if err := hostfile.WriteOwned(partial, manifest, 0, base, 0o440); err != nil {
		return err
	}
	if err := os.Rename(partial, filepath.Join(dir, kinds.ManifestName)); err != nil {
		return err
	}
	return l.host.Inits.Link(ctx, filepath.Join(dir, "init"))
}

// Clear removes what prepare made, and nothing that the sandbox itself wrote.
func (l backend) Clear(dir string) error {
	if err := cgroup.ReleasePids(filepath.Base(dir)); err != nil {
		return err
	}
	if err := stage.Remove(filepath.Join(dir, state.Stage)); err != nil {
		return err
	}
	for _, part := range []string{state.Root, state.Own, state.Files} {
		if err := hostfile.RemoveTree(filepath.Join(dir, part)); err != nil {
			return err
		}
	}
	return hostfile.RemoveFile(filepath.Join(dir, state.Channel))
}

// Start starts the container, which gets its end of the channel. The mounts on the
// stage are its own from then on, and the host's go.
func (l backend) Start(s *bound.Sandbox, dom *libvirt.Domain) (err error) {
	defer func() { err = errors.Join(err, stage.Remove(s.StageDir())) }()
	socket, err := listen(s)
	if err != nil {
		return err
	}
	defer socket.Close()
	if err := dom.CreateWithFiles([]os.File{*socket}, 0); err != nil {
		return virt.Plain(err)
	}
	return l.finish(s, dom)
}

// finish does for a container that has just started what libvirt's driver does not.
func (backend) finish(s *bound.Sandbox, dom *libvirt.Domain) error {
	if err := nic.GiveAddresses(dom, s.Manifest.Interfaces); err != nil {
		return err
	}
	return limit(s, dom)
}

// StartTransient starts a container that libvirt forgets when it ends, and ends
// when conn does. This process connects before there is a container, so that
// nobody can come before it.
func (l backend) StartTransient(_ context.Context, s *bound.Sandbox, conn *libvirt.Connect) (dom *libvirt.Domain, first net.Conn, err error) {
	defer func() { err = errors.Join(err, stage.Remove(s.StageDir())) }()
	socket, err := listen(s)
	if err != nil {
		return nil, nil, err
	}
	defer socket.Close()
	first, err = hostfile.DialUnix(filepath.Join(s.Dir, state.Channel))
	if err != nil {
		return nil, nil, err
	}
	text, err := s.Domain.Marshal()
	if err != nil {
		first.Close()
		return nil, nil, err
	}
	dom, err = conn.DomainCreateXMLWithFiles(text, []os.File{*socket}, libvirt.DOMAIN_START_AUTODESTROY)
	if err != nil {
		first.Close()
		return nil, nil, virt.Plain(err)
	}
	return dom, first, l.finish(s, dom)
}

// Held: any number of processes can connect.
func (backend) Held() bool { return false }

// listen makes the socket on which the container's first process, which gets it
// as descriptor 3, will speak with hosts. It listens already: whoever may open
// the socket's file can connect, now and after sbx has ended.
func listen(s *bound.Sandbox) (*os.File, error) {
	path := filepath.Join(s.Dir, state.Channel)
	listener, err := hostfile.ListenUnix(path)
	if err != nil {
		return nil, fmt.Errorf("channel: %w", err)
	}
	listener.SetUnlinkOnClose(false)
	defer listener.Close()
	return listener.File()
}
