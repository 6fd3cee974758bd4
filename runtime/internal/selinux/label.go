package selinux

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/selinux"
	"github.com/sbx-dev/sbx/internal/mac"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema/diag"
)

// thisHost is where SELinux is asked.
const thisHost = mac.Host("/")

// model is libvirt's name of SELinux.
const model = "selinux"

// Wanted is what a sandbox is to be to SELinux.
type Wanted struct {
	Name   string
	Shared string   // its type where it has no policy of its own, of sbx's module; "" is libvirt's
	Policy []byte   // its own, as it was compiled; nil for none
	Seen   []string // the paths of the host that it sees, read-only
	Images []string // the images among them
}

// Label has the domain run in a context with the sandbox's own categories, where libvirt
// confines by SELinux: libvirt would choose others at each start, and the sandbox would
// not come at what it has written before. Where it has a policy of its own, that is
// completed for this host and returned, for Load. Elsewhere the domain is left as it is;
// so it is where the policy has not what sbx needs and does not enforce.
func Label(conn *libvirt.Connect, d *libvirtxml.Domain, w Wanted) (module []byte, err error) {
	if !thisHost.HasSELinux() {
		return nil, nil
	}
	base, err := libvirts(conn, d.Type)
	if base == nil || err != nil {
		return nil, err
	}
	if w.Shared != "" {
		base.kind = w.Shared
	}
	if w.Policy != nil {
		base.kind = ContainerType // which stands for sbx's module
	}
	if err := known(base.with(compiler.Categories(w.Name)), w.Shared != ""); err != nil {
		if thisHost.SELinuxEnforces() {
			return nil, fmt.Errorf("%s: %w", w.Name, err)
		}
		return nil, nil
	}
	if w.Policy != nil {
		base.kind = selinux.Type(w.Name, selinux.Process)
		if module, err = own(w); err != nil {
			return nil, fmt.Errorf("%s: %w", w.Name, err)
		}
	}
	d.SecLabel = append(d.SecLabel, libvirtxml.DomainSecLabel{
		Type: "static", Model: model, Relabel: "yes", Label: base.with(compiler.Categories(w.Name)),
	})
	leaveImages(d)
	return module, nil
}

// leaveImages has libvirt label no image that the domain only reads: those are the host's.
func leaveImages(d *libvirtxml.Domain) {
	if d.Devices == nil {
		return
	}
	for _, disk := range d.Devices.Disks {
		if disk.ReadOnly != nil && disk.Source != nil && disk.Source.File != nil {
			file := disk.Source.File
			file.SecLabel = append(file.SecLabel, libvirtxml.DomainDeviceSecLabel{Model: model, Relabel: "no"})
		}
	}
}

// known refuses a context that the policy does not know, or in which libvirt could not
// make a container.
func known(label string, container bool) error {
	if !thisHost.KnowsContext(label) {
		return fault.New(diag.SELinux, "SELinux's policy does not know %s, in which it would run: %s", label, Remedy)
	}
	if mounted := UnknownOfContainers(thisHost); container && mounted != "" {
		return fault.New(diag.SELinux, "libvirt mounts a container's /dev as %s, which SELinux's policy does not know: %s; or run it as a machine (-b kvm)", mounted, Remedy)
	}
	return nil
}

// Remedy has the policy know what sbx needs of it.
const Remedy = "semodule -i /usr/share/sbx/selinux/sbx.cil; restorecon -R /var/lib/sbx"

// context is what SELinux knows of a process, without its categories.
type context struct{ user, role, kind, sensitivity string }

func (c context) with(categories string) string {
	return strings.Join([]string{c.user, c.role, c.kind, c.sensitivity, categories}, ":")
}

// libvirts is the context that libvirt gives domains of a type ("kvm", "lxc"); nil where
// it does not confine by SELinux.
func libvirts(conn *libvirt.Connect, domainType string) (*context, error) {
	text, err := conn.GetCapabilities()
	if err != nil {
		return nil, fmt.Errorf("cannot learn how libvirt confines: %w", virt.Plain(err))
	}
	caps := new(libvirtxml.Caps)
	if err := caps.Unmarshal(text); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(caps.Host.SecModel, func(m libvirtxml.CapsHostSecModel) bool { return m.Name == model })
	if i < 0 {
		return nil, nil
	}
	for _, l := range caps.Host.SecModel[i].Labels {
		if words := strings.Split(l.Value, ":"); l.Type == domainType && len(words) == 4 {
			return &context{words[0], words[1], words[2], words[3]}, nil
		}
	}
	return nil, errors.New("libvirt confines by SELinux, and does not say how it labels " + domainType)
}
