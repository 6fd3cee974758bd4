// Package compiler lowers a profile to a bundle: libvirt domain XML, nwfilter
// rules, network XML and the manifest of the guest's first process. It is pure:
// it looks at nothing but the profile, so the same profile gives the same bytes
// on every machine.
//
// Package resolve works out what the profile means; a target, of which libvirt is
// one, writes that down for whoever carries it out.
package compiler

import (
	"net/netip"

	"github.com/sbx-dev/sbx/compiler/bundle"
	"github.com/sbx-dev/sbx/compiler/resolve"
	"github.com/sbx-dev/sbx/schema"
)

// Options is what a compilation needs besides the profile.
type Options struct {
	// Ephemeral compiles for `sbx run`: the first process waits for the host
	// to attach and ends with the command.
	Ephemeral bool
	// Peers gives the addresses of the other sandboxes that rules may name.
	Peers map[string][]netip.Addr
	// Target is who carries the bundle out; "" is libvirt.
	Target string
}

// Compile lowers a profile that package schema has loaded. Its errors are
// diagnostics (package diag) that name the place in the profile.
func Compile(p *schema.Profile, o Options) (*Bundle, error) {
	lower, err := targetNamed(o.Target)
	if err != nil {
		return nil, err
	}
	s, err := resolve.Resolve(p, resolve.Options{Ephemeral: o.Ephemeral, Peers: o.Peers})
	if err != nil {
		return nil, err
	}
	b := &Bundle{Index: Index{
		Version: BundleVersion,
		Name:    s.Name,
		Backend: string(s.Backend),
		Target:  o.Target,
		Profile: s.Digest,
		Secrets: s.Secrets,
	}}
	orders, err := s.Manifest.Encode()
	if err != nil {
		return nil, err
	}
	b.Add(bundle.ManifestFile, orders)
	if err := lower(s, b); err != nil {
		return nil, err
	}
	b.Warnings = append(s.Remarks(), b.Warnings...)
	b.Seal()
	return b, nil
}
