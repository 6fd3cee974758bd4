// Package resolve works out what a profile means for whoever carries it out: its
// interfaces with the names that follow and their allow-lists resolved, the orders of
// its first process, the ports that lead to it. It knows of no target: what is
// libvirt's is in package libvirt.
package resolve

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"github.com/sbx-dev/sbx/compiler/bundle"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Options is what a profile is resolved with.
type Options struct {
	// Ephemeral resolves for `sbx run`: the first process waits for the host to
	// attach and ends with the command.
	Ephemeral bool
	// Peers gives the addresses of the other sandboxes that rules may name.
	Peers map[string][]netip.Addr
}

// Sandbox is a profile with all that follows from it on every target.
type Sandbox struct {
	*schema.Profile
	Digest     string // of what the profile means
	Interfaces []Interface
	Manifest   *manifest.Manifest
	Published  []Published
}

// Resolve resolves a profile that package schema has loaded. Its errors are
// diagnostics that name the place in the profile.
func Resolve(p *schema.Profile, o Options) (*Sandbox, error) {
	s := &Sandbox{Profile: p, Interfaces: Interfaces(p)}
	var err error
	if s.Manifest, err = newManifest(s, o); err != nil {
		return nil, err
	}
	if s.Digest, err = digest(p); err != nil {
		return nil, err
	}
	if s.Published, err = s.published(); err != nil {
		return nil, err
	}
	if s.Interfaces, err = Policies(p, o.Peers); err != nil {
		return nil, err
	}
	s.fitFirewalls()
	return s, nil
}

// digest is that of the profile's values with all defaults, whatever the text that
// gave them.
func digest(p *schema.Profile) (string, error) {
	meaning := *p
	meaning.Tests = nil
	data, err := json.Marshal(meaning)
	if err != nil {
		return "", fmt.Errorf("profile %s: %w", p.Name, err)
	}
	return bundle.Digest(data), nil
}

// Remarks are what a person would want to know of the profile; they are no part of
// its meaning. To find them may take longer than to lower it, so whoever lowers it
// first does not wait for what is refused.
func (s *Sandbox) Remarks() diag.List {
	var list diag.List
	for _, i := range s.Interfaces {
		list = append(list, i.Policy.Warnings()...)
	}
	return slices.Concat(list, s.unusable(), s.hostRoot(), s.allIDs(), s.rootSockets())
}
