package observe

import (
	"errors"
	"fmt"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/mac"
	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/selinux"
	"github.com/sbx-dev/sbx/schema"
)

// lookAtConfinement finds out what confines the sandbox.
func (o *Observed) lookAtConfinement(dom *libvirt.Domain, kind schema.Backend) error {
	d := new(libvirtxml.Domain)
	if err := d.Unmarshal(o.defined); err != nil {
		return err
	}
	return errors.Join(o.lookAtProfile(dom, d, kind), o.lookAtPolicy(d))
}

// lookAtPolicy finds out what SELinux's policy has of the sandbox's own.
func (o *Observed) lookAtPolicy(d *libvirtxml.Domain) (err error) {
	if o.policed = selinux.IsOwn(d, o.name); o.policed {
		o.policy, err = selinux.Module(confinement.ThisHost, o.name)
	}
	return err
}

// lookAtProfile finds out what the kernel has of the sandbox's profile for AppArmor, and
// whether it is that profile that confines the sandbox.
func (o *Observed) lookAtProfile(dom *libvirt.Domain, d *libvirtxml.Domain, kind schema.Backend) error {
	if !confinement.ThisHost.Enabled() || !confinement.Is(d, o.name) {
		return nil
	}
	loaded, err := confinement.ThisHost.Find(compiler.AppArmorName(o.name))
	if err != nil {
		return err
	}
	switch {
	case loaded.Mode == "":
		o.profile = "not loaded"
	case loaded.Mode == mac.Enforcing:
		o.profile = loaded.Digest
	default:
		o.profile = loaded.Mode + ", " + loaded.Digest
	}
	if o.Active {
		o.loose = !runsIn(dom, o.name, kind, loaded)
	}
	return nil
}

// runsIn says whether the sandbox's process is in its profile. Where that cannot be
// seen, as of one that ends now, it is taken to be.
func runsIn(dom *libvirt.Domain, name string, kind schema.Backend, loaded mac.Loaded) bool {
	k := known.Of(kind)
	pid := k.First(k.Process(dom, name))
	if pid == 0 {
		return true
	}
	label, err := confinement.ThisHost.OfProcess(pid)
	return err != nil || label == fmt.Sprintf("%s (%s)", compiler.AppArmorName(name), loaded.Mode)
}
