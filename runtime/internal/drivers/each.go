package drivers

import (
	"errors"
	"fmt"
	"os"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Each calls f with a connection to libvirt's driver for each kind that has one here,
// made by connect, until f wants no more. Where the caller has named a connection that
// is some drivers' alone, it is those.
func (d *Drivers) Each(connect connector, f func(conn *libvirt.Connect, kind schema.Backend) (more bool, err error)) error {
	var unfit error // why the named connection is not of a kind's driver
	reached := false
	for _, kind := range known.Names() {
		if _, err := d.URI(kind); err != nil {
			unfit = err
			continue
		}
		reached = true
		conn, err := connect(kind)
		if noDriver(kind, err) {
			continue
		}
		if err != nil {
			return err
		}
		if more, err := f(conn, kind); !more || err != nil {
			return err
		}
	}
	if !reached {
		return unfit
	}
	return nil
}

// EachKind is each, for work on sandboxes.
func (d *Drivers) EachKind(f func(conn *libvirt.Connect, kind schema.Backend) (more bool, err error)) error {
	return d.Each(d.Connect, f)
}

// EachDriver gives the connections to libvirt's drivers of all kinds that it has here.
func (d *Drivers) EachDriver() (conns []*libvirt.Connect, err error) {
	err = d.EachKind(func(conn *libvirt.Connect, _ schema.Backend) (bool, error) {
		conns = append(conns, conn)
		return true, nil
	})
	return conns, err
}

// EachUsable is EachDriver for who can do without any: none where nobody has named a
// connection and this user may use no libvirtd, or none runs that could be asked.
func (d *Drivers) EachUsable() ([]*libvirt.Connect, error) {
	conns, err := d.EachDriver()
	if len(conns) == 0 && d.named == "" && (os.Geteuid() != 0 || NobodyToAsk(err)) {
		return nil, nil
	}
	return conns, err
}

// HasDomain says whether libvirt has a domain of the name, whoever made it.
func (d *Drivers) HasDomain(name string) (bool, error) {
	there := false
	err := d.domain(name, func(*libvirt.Domain) error { there = true; return nil })
	return there, err
}

// Runs says whether libvirt has a domain of the name that runs, whoever made it.
func (d *Drivers) Runs(name string) (bool, error) {
	runs := false
	err := d.domain(name, func(dom *libvirt.Domain) (err error) {
		runs, err = dom.IsActive()
		return virt.Plain(err)
	})
	return runs, err
}

// domain calls f with the domain of the name, if there is one.
func (d *Drivers) domain(name string, f func(*libvirt.Domain) error) error {
	return d.EachKind(func(conn *libvirt.Connect, _ schema.Backend) (bool, error) {
		dom, err := virt.Lookup(conn, name)
		if dom == nil || err != nil {
			return true, err
		}
		defer dom.Free()
		return false, f(dom)
	})
}

// CheckKind refuses a name that a sandbox of another kind has. libvirt would let
// both have it, since each of its drivers has names of its own; but the folder, the
// host ids, the addresses and the filters are derived from the name, and so are one.
func (d *Drivers) CheckKind(name string, kind schema.Backend) error {
	return d.EachKind(func(conn *libvirt.Connect, other schema.Backend) (bool, error) {
		if other == kind {
			return true, nil
		}
		dom, _, err := virt.LookupOwn(conn, name)
		if err := virt.UnlessForeign(err); dom == nil || err != nil {
			return true, err
		}
		dom.Free()
		return false, fault.New(diag.NameTaken, "%s: there is a sandbox of this name with the backend %s, and this one is for %s: sbx down %s first, or give it another name", name, other, kind, name)
	})
}

// EachOwn calls f for each persistent sandbox that sbx made; those of sbx run
// are not among them. It goes on after an error.
func (d *Drivers) EachOwn(f func(conn *libvirt.Connect, name string, kind schema.Backend) error) error {
	var failed []error
	err := d.EachKind(func(conn *libvirt.Connect, kind schema.Backend) (bool, error) {
		domains, err := conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_PERSISTENT)
		if err != nil {
			return false, fmt.Errorf("cannot list domains: %w", virt.Plain(err))
		}
		for i := range domains {
			name, err := virt.OwnName(&domains[i])
			domains[i].Free()
			if err == nil && name != "" {
				err = f(conn, name, kind)
			}
			failed = append(failed, err)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return errors.Join(failed...)
}
