package verb

import (
	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/runtime"
)

// HostFlags are the arguments of the verbs that work on a libvirt.
type HostFlags struct {
	Connect      string `short:"c" placeholder:"URI" help:"The libvirt to use: qemu:///system, lxc+ssh://host/system. (default: LIBVIRT_DEFAULT_URI, else this machine's own)"`
	machineFlags `group:"Machines (kvm):"`
}

// machineFlags are about machines on this host, whatever their profile.
type machineFlags struct {
	Accel   string `enum:",kvm,tcg" default:"" env:"SBX_ACCEL" placeholder:"kvm|tcg" help:"Overrule a machine's accel: kvm trusts /dev/kvm unseen, tcg goes without, many times slower."`
	Kernel  string `type:"path" env:"SBX_KERNEL" placeholder:"FILE" help:"The kernel of machines whose profile names none. (default: this host's own)"`
	Modules string `type:"path" env:"SBX_MODULES" placeholder:"DIR" help:"Its module tree. (default: the kernel's own)"`
	Cold    bool   `env:"SBX_COLD" help:"Boot each machine, also where one like it was saved on its way."`
}

// Open gives the runtime, which tells what takes a while on stderr.
func (h *HostFlags) Open(a *App) *runtime.Runtime {
	return runtime.New(runtime.Options{
		URI:       h.Connect,
		Accel:     h.Accel,
		Kernel:    h.Kernel,
		Modules:   h.Modules,
		Cold:      h.Cold,
		Forwarder: []string{"sbx", "forward"},
		Keeper:    []string{"sbx", "keep"},
		Guard:     []string{"sbx", "guard"},
		Holder:    []string{"sbx", "hold"},
		Tether:    []string{"sbx", "tether"},
		Log:       func(line string) { say.Fprintln(a.Stderr, "sbx:", line) },
	})
}
