package runtime

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/sbx-dev/sbx/initramfs/boot/cache"
	"github.com/sbx-dev/sbx/initramfs/boot/kernel"
	"github.com/sbx-dev/sbx/internal/forward"
	"github.com/sbx-dev/sbx/internal/tether"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/drivers"
	"github.com/sbx-dev/sbx/runtime/internal/embed"
	"github.com/sbx-dev/sbx/runtime/internal/guard"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/runtime/internal/kernelrules"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/kvm"
	"github.com/sbx-dev/sbx/runtime/internal/lxc"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
)

// The accelerators that Options.Accel may force.
const (
	AccelKVM = qemu.AccelKVM // hardware virtualisation
	AccelTCG = qemu.AccelTCG // QEMU's own emulation
)

// QbootROM is a firmware with which machines of x86_64 start faster.
const QbootROM = qemu.QbootROM

// IPv6Mend is what to do on a host without IPv6.
const IPv6Mend = bound.IPv6Mend

// KeepsIDs says whether what is at a path of the host, or would be made there, can keep
// its owners in a container.
func KeepsIDs(path string) bool { return lxc.KeepsIDs(path) }

// AppArmorConfines says whether libvirt confines sandboxes of the backend by
// AppArmor: the kernel has it, and libvirt its driver for it in use.
func (r *Runtime) AppArmorConfines(kind schema.Backend) (bool, error) {
	if !confinement.ThisHost.Enabled() {
		return false, nil
	}
	conn, err := r.drivers.Connect(kind)
	if err != nil {
		return false, err
	}
	return confinement.Holds(conn)
}

// Warm connects to the libvirtd that Run will use for the backend, if any, in the
// background, so that the connection is there when it is needed. What fails is
// tried again then, and said then.
func (r *Runtime) Warm(backend schema.Backend) { r.drivers.Warm(backend) }

// Daemon is what runs sandboxes of the backend here: libvirtd, or the daemon of its
// driver alone where libvirt comes with one for each.
func Daemon(kind schema.Backend) string { return drivers.Daemon(kind) }

// NeedRoot is why this process cannot run sandboxes of the backend by libvirtd, whoever
// may connect to it; nil where it can.
func (r *Runtime) NeedRoot(backend schema.Backend) error { return r.drivers.NeedRoot(backend) }

// Reach connects to the libvirt that runs sandboxes of the backend, and tells
// its URI.
func (r *Runtime) Reach(backend schema.Backend) (uri string, err error) {
	if uri, err = r.drivers.URI(backend); err != nil {
		return "", err
	}
	_, err = r.drivers.Connect(backend)
	return uri, err
}

// CheckNetworks says why no sandbox of the backend can have a network.
func (r *Runtime) CheckNetworks(backend schema.Backend) error {
	conn, err := r.drivers.Connect(backend)
	if err != nil {
		return err
	}
	return virt.CheckNetworks(conn)
}

// RulelessNetworks are the networks of sbx that run and whose rules of libvirt's somebody
// has removed from this host's packet filter, with what puts them back.
func (r *Runtime) RulelessNetworks(backend schema.Backend) (names []string, mend string, err error) {
	conn, err := r.drivers.Connect(backend)
	if err != nil || !r.drivers.Local() {
		return nil, "", err
	}
	read := sync.OnceValues(kernelrules.Read)
	names, err = virt.Ruleless(conn, func(bridge string) (bool, error) {
		list, err := read()
		return slices.ContainsFunc(list.Of(bridge), func(line string) bool { return strings.Contains(line, " LIBVIRT_") }), err
	})
	return names, virt.MendNetworks, err
}

// MayEmbed says whether sbx run goes on without a libvirtd that cannot be
// reached: by libvirt's embedded driver, unless a connection was named.
func (r *Runtime) MayEmbed() bool { return r.options.URI == "" }

// HasDriver says whether libvirt's QEMU driver is there to be embedded, as far as the
// folders below root that distributions have for drivers tell.
func HasDriver(root string) bool { return embed.HasDriver(root) }

// CheckState says what keeps sandboxes of the backend from using the state folder;
// nil where it is as it should be, or can be made so. It changes nothing.
func (r *Runtime) CheckState(backend schema.Backend) (folder string, err error) {
	k, err := known.Named(backend)
	if err != nil {
		return r.options.StateDir, err
	}
	return r.options.StateDir, r.state().Check(k.State...)
}

// InitPath is the sbx-init that sandboxes of an architecture get; "" is this host's.
func (r *Runtime) InitPath(of string) (string, error) {
	return r.host.Inits.Path(of)
}

// FindKernel finds the kernel of a machine of an architecture ("" is this host's)
// whose profile names this image and module tree, or none.
func (r *Runtime) FindKernel(image, modules, of string) (*kernel.Kernel, error) {
	return kvm.FindKernel(&r.host, image, modules, of)
}

// Cache is where unpacked kernels, initrds and saved machines are kept between starts.
func (r *Runtime) Cache() (*cache.Cache, error) { return kvm.OpenCache(&r.host) }

// Kinds are the backends of which this package runs sandboxes.
func Kinds() []schema.Backend { return known.Names() }

// DriverConfig is the file that configures libvirt's driver for one of the backends.
func DriverConfig(backend schema.Backend) string {
	return filepath.Join("/etc/libvirt", known.Of(backend).Driver+".conf")
}

// Forward passes connections to a sandbox's published ports on until the sandbox ends
// or ctx does. The process that Options.Forwarder starts calls it, with task as its
// last argument.
func Forward(ctx context.Context, task string) error { return forward.Main(ctx, task) }

// Tether waits until the process that started it has ended, and ends the machine that
// was that one's. The process that Options.Tether starts calls it.
func Tether() error { return tether.Main() }

// Keep is the keeper of the named sandbox, which ends with the sandbox. The process that
// Options.Keeper starts calls it.
func (r *Runtime) Keep(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return keep.Main(ctx, name, r.untilAnswer)
}

// Guard watches inner walls until ctx ends. What Options.Guard starts calls it.
func Guard(ctx context.Context, folder string) error { return guard.Main(ctx, folder) }

// Hold is a holder of the named sandbox's channel, until the sandbox has ended or
// whoever started this process has left. The process that Options.Holder starts calls it.
func Hold(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return keep.HoldMain(ctx, name)
}
