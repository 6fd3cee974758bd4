// Package firewall is what a profile's allow-list means: which packets may pass, apart
// from whatever enforces it. It compares lists and finds the rules that could go; what
// libvirt makes of a list is package nwfilter's.
package firewall

import (
	"net"
	"net/netip"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Interface is what a policy knows of the network interface that it guards.
type Interface struct {
	Filter    string           // the nwfilter's name, an XML NCName
	UUID      string           // the nwfilter's, derived from its name: libvirt refuses a name under another UUID
	MAC       net.HardwareAddr // the interface's own, 6 bytes
	Addresses []netip.Addr     // the interface's own; empty together with DHCP
	DHCP      bool             // an IPv4 address is leased instead
}

// Rules is an allow-list and where it was written.
type Rules struct {
	Allow  []schema.Rule
	Path   string                  // the list's path in the profile: "network.allow"
	Source schema.Source           // nil when the list comes from no file
	Peers  map[string][]netip.Addr // the addresses of other sandboxes on the same network, by name
}

// Pos finds where a part of the profile was written.
func (r Rules) Pos(path string) diag.Pos {
	if r.Source == nil {
		return diag.Pos{}
	}
	return r.Source.Pos(path)
}
