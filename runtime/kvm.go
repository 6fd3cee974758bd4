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
func (k kvm) prepare(ctx context.Context, s *sandbox) error {
	defer s.closeHost()
	if err := s.openHost(); err != nil {
		return err
	}
	if err := s.takeOwnFiles(); err != nil {
		return err
	}
	if err := s.checkQEMU(); err != nil {
		return err
	}
	if err := s.checkProgram(); err != nil {
		return err
	}
	if err := k.r.sayCovered(s); err != nil {
		return err
	}
	if err := k.r.sayLost(s); err != nil {
		return err
	}
	if err := k.clear(s.dir); err != nil {
		return err
	}
	for _, part := range []string{state.Boot, state.Exports} {
		if _, err := k.r.state().Make(s.name, part); err != nil {
			return err
		}
	}
	if err := k.placeMounts(s); err != nil {
		return err
	}
	if err := k.r.placeBoot(ctx, s); err != nil {
		return err
	}
	return s.loadProfile()
}

// placeMounts sees to it that QEMU finds what the machine is to see of the host.
func (k kvm) placeMounts(s *sandbox) error {
	if staged() {
		return s.stageMachine()
	}
	if err := s.checkPoints(); err != nil {
		return err
	}
	for _, m := range s.manifest.Mounts {
		if m.Single {
			if err := s.placeSingle(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// placeBoot puts the kernel and the initrd where the domain names them.
func (r *Runtime) placeBoot(ctx context.Context, s *sandbox) error {
	found, err := r.FindKernel(s.metadata.Machine.Kernel, s.metadata.Machine.Modules, s.arch.Name)
	if err != nil {
		return err
	}
	init, err := r.InitPath(s.arch.Name)
	if err != nil {
		return err
	}
	files, err := r.Cache()
	if err != nil {
		return err
	}
	builder := boot.Builder{Kernel: found, Init: init, Cache: files}
	notice, err := builder.PlaceKernel(ctx, filepath.Join(s.dir, state.Boot, "kernel"))
	if err != nil {
		return fault.Because(diag.NoKernel, err)
	}
	if notice != "" {
		r.options.Log(notice)
	}
	if err := builder.PlaceInitrd(ctx, s.manifest, filepath.Join(s.dir, state.Boot, "initrd")); err != nil {
		return fault.Because(diag.NoKernel, err)
	}
	told, err := s.manifest.Encode()
	if err != nil {
		return err
	}
	return hostfile.WriteAtomic(manifestFile(s.backend, s.dir), told, 0o600)
}

// FindKernel finds the kernel of a machine of an architecture ("" is this host's)
// whose profile names this image and module tree, or none.
func (r *Runtime) FindKernel(image, modules, of string) (*kernel.Kernel, error) {
	a, err := archOf(of)
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
func (k kvm) start(s *sandbox, dom *libvirt.Domain) error {
	return s.refused(dom.Create())
}

// refused puts what libvirt says to a machine that does not start, with what to do
// where that is known.
func (s *sandbox) refused(err error) error {
	return s.withoutEmulator(virt.Plain(err))
}

// startTransient starts a machine that libvirt forgets when it ends, and ends
// when conn does. The embedded driver cannot do the latter; there, the machine is
// tethered to this process.
func (k kvm) startTransient(s *sandbox, conn *libvirt.Connect) (*libvirt.Domain, net.Conn, error) {
	flags := libvirt.DOMAIN_START_AUTODESTROY
	if k.r.embed.is(conn) {
		flags = 0
	}
	text, err := s.domain.Marshal()
	if err != nil {
		return nil, nil, err
	}
	dom, err := conn.DomainCreateXML(text, flags)
	if err != nil {
		return nil, nil, s.refused(err)
	}
	if k.r.embed.is(conn) {
		if err := k.r.tether(s.name); err != nil {
			return dom, nil, err
		}
	}
	channel, err := net.Dial("unix", filepath.Join(s.dir, state.Channel))
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
