package kvm

import (
	"context"
	"net"
	"path/filepath"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/initramfs/boot"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/embed"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/proc"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema/diag"
)

// backend runs sandboxes as machines.
type backend struct {
	host    *kinds.Host
	waiting *waiting
}

// Prepare makes the kernel, the initrd and the exports of single files.
func (k backend) Prepare(ctx context.Context, s *bound.Sandbox) error {
	defer s.CloseHost()
	if err := s.OpenHost(); err != nil {
		return err
	}
	if err := takeOwnFiles(s); err != nil {
		return err
	}
	if err := checkQEMU(s); err != nil {
		return err
	}
	if err := checkProgram(s); err != nil {
		return err
	}
	if err := s.SayCovered(); err != nil {
		return err
	}
	if err := s.SayLost(); err != nil {
		return err
	}
	if err := k.Clear(s.Dir); err != nil {
		return err
	}
	for _, part := range []string{state.Boot, state.Exports} {
		if _, err := k.host.Folder.Make(s.Name, part); err != nil {
			return err
		}
	}
	if err := k.placeMounts(s); err != nil {
		return err
	}
	if err := k.placeBoot(ctx, s); err != nil {
		return err
	}
	return confinement.Load(s)
}

// placeMounts sees to it that QEMU finds what the machine is to see of the host.
func (k backend) placeMounts(s *bound.Sandbox) error {
	if bound.Staged() {
		return s.StageMachine()
	}
	if err := checkPoints(s); err != nil {
		return err
	}
	for _, m := range s.Manifest.Mounts {
		if m.Single {
			if err := placeSingle(s, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// placeBoot puts the kernel and the initrd where the domain names them.
func (k backend) placeBoot(ctx context.Context, s *bound.Sandbox) error {
	builder, err := k.builder(s)
	if err != nil {
		return err
	}
	notice, err := builder.PlaceKernel(ctx, filepath.Join(s.Dir, state.Boot, "kernel"))
	if err != nil {
		return fault.Because(diag.NoKernel, err)
	}
	if notice != "" {
		k.host.Log(notice)
	}
	if k.mayBeSaved(s) {
		err = k.placeBlank(ctx, s, builder)
	} else {
		err = builder.PlaceInitrd(ctx, s.Manifest, initrdOf(s))
	}
	if err != nil {
		return fault.Because(diag.NoKernel, err)
	}
	told, err := s.Manifest.Encode()
	if err != nil {
		return err
	}
	return hostfile.WriteAtomic(filepath.Join(s.Dir, state.Boot, kinds.ManifestName), told, 0o600)
}

// initrdOf is where the domain names the initrd.
func initrdOf(s *bound.Sandbox) string { return filepath.Join(s.Dir, state.Boot, "initrd") }

// builder makes what the machine boots from.
func (k backend) builder(s *bound.Sandbox) (*boot.Builder, error) {
	found, err := FindKernel(k.host, s.Metadata.Machine.Kernel, s.Metadata.Machine.Modules, s.Arch.Name)
	if err != nil {
		return nil, err
	}
	init, err := k.host.Inits.Path(s.Arch.Name)
	if err != nil {
		return nil, err
	}
	files, err := OpenCache(k.host)
	if err != nil {
		return nil, err
	}
	return &boot.Builder{Kernel: found, Init: init, Cache: files}, nil
}

// Start starts the defined machine.
func (k backend) Start(s *bound.Sandbox, dom *libvirt.Domain) error {
	return refused(s, dom.Create())
}

// refused puts what libvirt says to a machine that does not start, with what to do
// where that is known.
func refused(s *bound.Sandbox, err error) error {
	return withoutEmulator(s, virt.Plain(err))
}

// StartTransient starts a machine that libvirt forgets when it ends, and ends
// when conn does. The embedded driver cannot do the latter; there, the machine is
// tethered to this process.
func (k backend) StartTransient(ctx context.Context, s *bound.Sandbox, conn *libvirt.Connect) (*libvirt.Domain, net.Conn, error) {
	flags := libvirt.DOMAIN_START_AUTODESTROY
	if k.host.Embed.Is(conn) {
		flags = 0
	}
	text, err := s.Domain.Marshal()
	if err != nil {
		return nil, nil, err
	}
	var dom *libvirt.Domain
	if k.waiting.of == s {
		if dom, channel, err := k.startWarm(ctx, s, conn, text); dom != nil || err != nil {
			return dom, channel, err
		}
		if err := hostfile.RemoveFile(initrdOf(s)); err != nil {
			return nil, nil, err
		}
		if err := k.waiting.initrd.PlaceWith(ctx, s.Manifest, initrdOf(s)); err != nil {
			return nil, nil, err
		}
	}
	err = confinement.Start(s, func() (err error) {
		dom, err = conn.DomainCreateXML(text, flags)
		return err
	}, func() int { return proc.ReadPID(embed.PIDFile(k.host.Embed.Dir(), s.Name)) })
	if err != nil {
		return dom, nil, refused(s, err)
	}
	if k.host.Embed.Is(conn) {
		if err := k.host.Embed.Tether(s.Name); err != nil {
			return dom, nil, err
		}
	}
	channel, err := hostfile.DialUnix(filepath.Join(s.Dir, state.Channel))
	return dom, channel, err
}

// Held: QEMU serves one connection at a time.
func (backend) Held() bool { return true }

// Clear removes what prepare made, and nothing that the sandbox itself wrote.
func (k backend) Clear(dir string) error {
	if err := stage.Remove(filepath.Join(dir, state.Stage)); err != nil {
		return err
	}
	for _, part := range []string{state.Boot, state.Exports} {
		if err := hostfile.RemoveTree(filepath.Join(dir, part)); err != nil {
			return err
		}
	}
	return hostfile.RemoveFile(filepath.Join(dir, state.Channel))
}
