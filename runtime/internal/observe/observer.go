package observe

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/guard"
	"github.com/sbx-dev/sbx/runtime/internal/jobs"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/runtime/internal/kernelrules"
	"github.com/sbx-dev/sbx/runtime/internal/publish"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
)

// Observed is what there is of a sandbox: what others may have changed since
// sbx applied it.
type Observed struct {
	name     string
	Metadata *compiler.Metadata // nil: there is no such sandbox
	Active   bool
	State    string // "running", or "stopped (destroyed)"
	finished bool   // its command has ended, and the sandbox with it
	defined  string // the definition's XML
	running  string // the XML of what runs; empty unless active
	filters  map[string]string
	networks map[string]virt.ObservedNetwork
	names    map[string]string // the records of it that the networks' name servers have, by network
	nics     []nic
	ports    string            // the host's that lead to it
	files    string            // a fingerprint
	profile  string            // what the kernel has of its AppArmor profile; empty: it is to have none
	loose    bool              // it runs, and not in that profile
	policy   []byte            // what SELinux's policy has of its module; nil: none
	policed  bool              // it is to have one
	timer    string            // of a job, as it is on this host
	sources  map[string]string // what stands now at the host paths that it sees, by object, while it runs
}

// nic is the host's end of an interface of a running sandbox.
type nic struct {
	device string
	bridge string // that it should be on; empty: libvirt does not say
	loose  bool   // it is on none, or on another
	filter string // that it should be behind
	bound  string // that it is behind; empty: none
	rules  string // the fingerprint of those in the kernel
	wall   string // that of the inner wall behind the filter; empty: there is none, nor was one noted

	unwatched bool // nobody watches that wall, and a guard should
}

// Observer looks at sandboxes, and at what takes long and is only others' to change once:
// at the kernel's rules for all of them, and at each one's files.
type Observer struct {
	folder state.Folder
	rules  func() (kernelrules.Rules, error)
	files  map[string]string // their fingerprints, by sandbox
}

// New looks at those whose files are in a state folder.
func New(folder state.Folder) *Observer {
	return &Observer{folder: folder, rules: sync.OnceValues(kernelRules), files: map[string]string{}}
}

// ReadAhead begins to read the kernel's rules, which are as they are to be, while
// something else is waited for.
func (o *Observer) ReadAhead() { go o.rules() }

// guardLimit is how long the guards may be away while libvirt puts them back.
const guardLimit = 5 * time.Second

// kernelRules reads the rules in force.
func kernelRules() (rules kernelrules.Rules, err error) {
	for deadline := time.Now().Add(guardLimit); ; time.Sleep(20 * time.Millisecond) {
		if rules, err = kernelrules.Read(); err != nil {
			return nil, err
		}
		if len(rules.MissingGuards(rules)) == 0 || time.Now().After(deadline) {
			return rules, nil
		}
	}
}

// Observe looks at the named sandbox, and at the filters and networks that it
// has or is to have.
func (o *Observer) Observe(conn *libvirt.Connect, name string, kind schema.Backend, want *compiler.Metadata) (*Observed, error) {
	found := nothingOf(name)
	dom, m, err := virt.LookupOwn(conn, name)
	if dom == nil || err != nil {
		return found, err
	}
	defer dom.Free()
	found.Metadata = m
	switch err := found.domain(dom); {
	case virt.IsGone(err):
		return nothingOf(name), nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, virt.Plain(err))
	}
	if found.Active && EndUnseen(dom, name, kind) {
		found.stopped(libvirt.DOMAIN_SHUTOFF_SHUTDOWN)
	}
	if err := found.lookAtConfinement(dom, kind); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if want == nil {
		want = m
	}
	if err := found.surroundings(conn, m, want); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if found.Active {
		if err := o.interfaces(conn, found); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	dir := o.folder.Path(name)
	if found.finished {
		end, err := keep.NotedEnd(dir)
		found.finished = err != nil || !end.Signaled // nobody has asked it to
	}
	found.lookAtSources()
	ports, err := publish.Running(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	found.ports = publish.Show(ports)
	if m.Every != "" || want.Every != "" {
		if found.timer, err = jobs.Found(name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if found.files, err = o.filesOf(name, kind, m.Every != ""); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return found, nil
}

// filesOf is the fingerprint of a sandbox's files.
func (o *Observer) filesOf(name string, kind schema.Backend, job bool) (string, error) {
	if print, looked := o.files[name]; looked {
		return print, nil
	}
	print, err := filesFingerprint(o.folder.Path(name), kind, job)
	if err == nil {
		o.files[name] = print
	}
	return print, err
}

// nothingOf is what is observed of a sandbox that is not there.
func nothingOf(name string) *Observed {
	return &Observed{name: name, filters: map[string]string{}, networks: map[string]virt.ObservedNetwork{}, names: map[string]string{}}
}

func (o *Observed) domain(dom *libvirt.Domain) error {
	state, reason, err := dom.GetState()
	if err != nil {
		return err
	}
	if o.Active, err = dom.IsActive(); err != nil {
		return err
	}
	o.State = StateName(state)
	if state == libvirt.DOMAIN_SHUTOFF {
		o.stopped(libvirt.DomainShutoffReason(reason))
	}
	if o.defined, err = dom.GetXMLDesc(libvirt.DOMAIN_XML_INACTIVE); err != nil || !o.Active {
		return err
	}
	o.running, err = dom.GetXMLDesc(0)
	return err
}

// stopped notes that the domain does not run, and why.
func (o *Observed) stopped(why libvirt.DomainShutoffReason) {
	o.Active, o.running = false, ""
	o.finished = why == libvirt.DOMAIN_SHUTOFF_SHUTDOWN
	o.State = StateName(libvirt.DOMAIN_SHUTOFF) + " (" + shutoffReason(why) + ")"
}

// shutoffReason says in libvirt's words why a domain does not run.
func shutoffReason(r libvirt.DomainShutoffReason) string {
	switch r {
	case libvirt.DOMAIN_SHUTOFF_SHUTDOWN:
		return "its service ended"
	case libvirt.DOMAIN_SHUTOFF_DESTROYED:
		return "destroyed"
	case libvirt.DOMAIN_SHUTOFF_CRASHED:
		return "crashed"
	case libvirt.DOMAIN_SHUTOFF_FAILED:
		return "failed to start"
	}
	return "not started"
}

// surroundings reads the filters and networks that the sandbox has or is to have.
func (o *Observed) surroundings(conn *libvirt.Connect, has, want *compiler.Metadata) error {
	for _, name := range slices.Concat(has.Filters, want.Filters) {
		text, err := virt.FilterText(conn, name, compiler.UUID("filter", name))
		if err != nil {
			return err
		}
		o.filters[name] = text
	}
	for _, name := range slices.Concat(has.Networks, want.Networks) {
		network, err := virt.OwnNetwork(conn, name)
		if err != nil {
			return err
		}
		if o.networks[name], err = virt.ObserveNetwork(network); err != nil {
			return virt.NetworkError(name, err)
		}
	}
	return nil
}

// interfaces looks at the host's ends of the running sandbox's interfaces.
func (o *Observer) interfaces(conn *libvirt.Connect, found *Observed) error {
	d := new(libvirtxml.Domain)
	if err := d.Unmarshal(found.running); err != nil {
		return err
	}
	if d.Devices == nil {
		return nil
	}
	for _, i := range d.Devices.Interfaces {
		if i.Target == nil || i.Target.Dev == "" {
			continue
		}
		rules, err := o.rules()
		if err != nil {
			return err
		}
		own := rules.Of(i.Target.Dev)
		nic := nic{device: i.Target.Dev, bridge: bridgeOf(i), rules: own.Fingerprint(rules.MissingGuards(own))}
		if nic.bridge != "" {
			master, err := os.Readlink("/sys/class/net/" + nic.device + "/master")
			nic.loose = err != nil || master[strings.LastIndexByte(master, '/')+1:] != nic.bridge
		}
		if i.FilterRef != nil {
			nic.filter = i.FilterRef.Filter
		}
		if err := found.publishedNames(conn, i); err != nil {
			return err
		}
		if nic.bound, err = virt.BoundFilter(conn, nic.device); err != nil && virt.ErrorCode(err) != libvirt.ERR_NO_NWFILTER_BINDING {
			return err
		}
		if nic.wall, err = wallOf(found.Metadata, nic.filter); err != nil {
			return err
		}
		nic.unwatched = nic.filter != "" && guard.Of(o.folder).Missing(nic.filter)
		found.nics = append(found.nics, nic)
	}
	return nil
}

// publishedNames reads what the name server of an interface's network knows of
// the sandbox.
func (o *Observed) publishedNames(conn *libvirt.Connect, i libvirtxml.DomainInterface) error {
	if i.Source == nil || i.Source.Network == nil {
		return nil
	}
	network := i.Source.Network.Network
	hosts, known, err := virt.PublishedNames(conn, network, o.name)
	if known {
		o.names[network] = virt.ShowNames(hosts)
	}
	return err
}

func bridgeOf(i libvirtxml.DomainInterface) string {
	switch {
	case i.Source == nil:
		return ""
	case i.Source.Bridge != nil:
		return i.Source.Bridge.Bridge
	case i.Source.Network != nil:
		return i.Source.Network.Bridge
	}
	return ""
}
