package runtime

import (
	"context"
	"net"
	"path/filepath"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/initramfs/boot"
	"github.com/sbx-dev/sbx/initramfs/boot/cache"
	"github.com/sbx-dev/sbx/initramfs/boot/kernel"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema/diag"
)

// cacheLimit bounds the unpacked kernels and initrds that are kept, in bytes. They
// are in the state folder so that sandboxes can have hard links to them.
const cacheLimit = 1 << 30

// kvm runs sandboxes as machines.
type kvm struct{ r *Runtime }

// prepare makes the kernel, the initrd and the exports of single files.
func (k kvm) prepare(ctx context.Context, s *bound.Sandbox) error {
	defer s.CloseHost()
	if err := s.OpenHost(); err != nil {
		return err
	}
	if err := s.TakeOwnFiles(); err != nil {
		return err
	}
	if err := s.CheckQEMU(); err != nil {
		return err
	}
	if err := s.CheckProgram(); err != nil {
		return err
	}
	if err := s.SayCovered(); err != nil {
		return err
	}
	if err := s.SayLost(); err != nil {
		return err
	}
	if err := k.clear(s.Dir); err != nil {
		return err
	}
	for _, part := range []string{state.Boot, state.Exports} {
		if _, err := k.r.state().Make(s.Name, part); err != nil {
			return err
		}
	}
	if err := k.placeMounts(s); err != nil {
		return err
	}
	if err := k.r.placeBoot(ctx, s); err != nil {
		return err
	}
	return s.LoadProfile()
}

// placeMounts sees to it that QEMU finds what the machine is to see of the host.
func (k kvm) placeMounts(s *bound.Sandbox) error {
	if bound.Staged() {
		return s.StageMachine()
	}
	if err := s.CheckPoints(); err != nil {
		return err
	}
	for _, m := range s.Manifest.Mounts {
		if m.Single {
			if err := s.PlaceSingle(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// placeBoot puts the kernel and the initrd where the domain names them.
func (r *Runtime) placeBoot(ctx context.Context, s *bound.Sandbox) error {
	found, err := r.FindKernel(s.Metadata.Machine.Kernel, s.Metadata.Machine.Modules, s.Arch.Name)
	if err != nil {
		return err
	}
	init, err := r.InitPath(s.Arch.Name)
	if err != nil {
		return err
	}
	files, err := r.Cache()
	if err != nil {
		return err
	}
	builder := boot.Builder{Kernel: found, Init: init, Cache: files}
	notice, err := builder.PlaceKernel(ctx, filepath.Join(s.Dir, state.Boot, "kernel"))
	if err != nil {
		return fault.Because(diag.NoKernel, err)
	}
	if notice != "" {
		r.options.Log(notice)
	}
	if err := builder.PlaceInitrd(ctx, s.Manifest, filepath.Join(s.Dir, state.Boot, "initrd")); err != nil {
		return fault.Because(diag.NoKernel, err)
	}
	told, err := s.Manifest.Encode()
	if err != nil {
		return err
	}
	return hostfile.WriteAtomic(manifestFile(s.Backend, s.Dir), told, 0o600)
}

// FindKernel finds the kernel of a machine of an architecture ("" is this host's)
// whose profile names this image and module tree, or none.
func (r *Runtime) FindKernel(image, modules, of string) (*kernel.Kernel, error) {
	a, err := bound.ArchOf(of)
	if err != nil {
		return nil, err
	}
	if image == "" && modules == "" {
		image, modules = r.options.Kernel, r.options.Modules
	}
	found, err := kernel.Find("/", image, modules, a.Name)
	return found, fault.Because(diag.NoKernel, err)
}

// Cache is where unpacked kernels and initrds are kept between starts.
func (r *Runtime) Cache() (*cache.Cache, error) {
	dir, err := r.state().Make(state.Cache)
	if err != nil {
		return nil, err
	}
	return cache.Open(dir, cacheLimit)
}

// start starts the defined machine.
func (k kvm) start(s *bound.Sandbox, dom *libvirt.Domain) error {
	return refused(s, dom.Create())
}

// refused puts what libvirt says to a machine that does not start, with what to do
// where that is known.
func refused(s *bound.Sandbox, err error) error {
	return s.WithoutEmulator(virt.Plain(err))
}

// startTransient starts a machine that libvirt forgets when it ends, and ends
// when conn does. The embedded driver cannot do the latter; there, the machine is
// tethered to this process.
func (k kvm) startTransient(s *bound.Sandbox, conn *libvirt.Connect) (*libvirt.Domain, net.Conn, error) {
	flags := libvirt.DOMAIN_START_AUTODESTROY
	if k.r.embed.Is(conn) {
		flags = 0
	}
	text, err := s.Domain.Marshal()
	if err != nil {
		return nil, nil, err
	}
	dom, err := conn.DomainCreateXML(text, flags)
	if err != nil {
		return nil, nil, refused(s, err)
	}
	if k.r.embed.Is(conn) {
		if err := k.r.embed.Tether(s.Name); err != nil {
			return dom, nil, err
		}
	}
	channel, err := net.Dial("unix", filepath.Join(s.Dir, state.Channel))
	return dom, channel, err
}

// held: QEMU serves one connection at a time.
func (kvm) held() bool { return true }

// clear removes what prepare made, and nothing that the sandbox itself wrote.
func (k kvm) clear(dir string) error {
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
