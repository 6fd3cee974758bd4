package removal

import (
	"context"
	"errors"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/claims"
	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/locks"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// Strays takes away what sbx has made, and what is no sandbox's any more without telling
// whose it was: networks that nobody is on, and AppArmor profiles without a domain. It
// calls done for each.
func (r *Remover) Strays(ctx context.Context, done func(what string, err error)) error {
	conns, err := r.Drivers.EachUsable()
	if err != nil || len(conns) == 0 { // no libvirtd has let sbx make any
		return err
	}
	unlock, err := r.Locks.Lock(ctx, locks.All) // nobody makes or starts one meanwhile
	if err != nil {
		return err
	}
	defer unlock()
	running, networks, err := r.claimed()
	if err != nil {
		return err
	}
	err = r.strayNetworks(conns[0], networks, done)
	if len(conns) < len(known.Names()) { // who was not asked may run what a profile confines
		return err
	}
	return errors.Join(err, strayProfiles(conns, running, done))
}

// claimed are the sandboxes that processes of sbx run have just now, or begin with, those
// whose claim cannot be read among them, and the networks that they need.
func (r *Remover) claimed() (names []string, networks map[string]bool, err error) {
	if names, err = claims.Names(r.Host.Folder); err != nil {
		return nil, nil, err
	}
	networks = map[string]bool{}
	for _, name := range names {
		c := claims.Held(r.Host.Folder, name)
		if c == nil {
			continue
		}
		for _, n := range c.Metadata.Networks {
			networks[n] = true
		}
	}
	return names, networks, nil
}

func (r *Remover) strayNetworks(conn *libvirt.Connect, needed map[string]bool, done func(string, error)) error {
	own, err := virt.OwnNetworks(conn)
	if err != nil {
		return err
	}
	var failed []error
	for _, name := range own {
		if needed[name] {
			continue
		}
		err := virt.ReleaseNetwork(conn, r.Drivers.EachDriver, name, "", r.Drivers.Local())
		if there, lookErr := virt.OwnNetwork(conn, name); err == nil && lookErr == nil && there != nil {
			there.Free() // somebody is on it
			continue
		}
		failed = append(failed, err)
		done("network "+name, err)
	}
	return errors.Join(failed...)
}

func strayProfiles(conns []*libvirt.Connect, running []string, done func(string, error)) error {
	var uuids []string
	for _, conn := range conns {
		domains, err := conn.ListAllDomains(0)
		if err != nil {
			return virt.Plain(err)
		}
		for i := range domains {
			if id, err := domains[i].GetUUIDString(); err == nil {
				uuids = append(uuids, id)
			}
			domains[i].Free()
		}
	}
	strays, err := confinement.Strays(confinement.ThisHost, uuids, running)
	if err != nil {
		return err
	}
	var failed []error
	for _, profile := range strays {
		err := confinement.UnloadStray(profile)
		failed = append(failed, err)
		done("AppArmor profile "+profile, err)
	}
	return errors.Join(failed...)
}
