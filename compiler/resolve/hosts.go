package resolve

import (
	"fmt"
	"net/netip"
	"path"
	"strings"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/schema"
)

// hostsFile is where programs look for names before they ask a server (hosts(5)).
const hostsFile = "/etc/hosts"

// ownName is the file by which the sandbox knows its own name: without it a look-up
// goes out to a name server, or waits for one that it may not ask. Where the profile
// shows a folder or file of the host's there, that file's content follows. A profile
// that says what stands there, or lets the sandbox write it, has its way.
func ownName(p *schema.Profile) []manifest.Mount {
	m := manifest.Mount{Kind: manifest.Inline, Target: hostsFile, Content: nameLines(p), Mode: 0o644}
	for _, host := range p.Expose {
		if host == hostsFile || isBelow(hostsFile, map[string]bool{host: true}) {
			m.Source = hostsFile
		}
	}
	for at := hostsFile; at != "/"; at = path.Dir(at) {
		outer, ok := p.Mounts[at]
		switch {
		case !ok:
			continue
		case at == hostsFile, outer.Writable, outer.Image != "":
			return nil
		case outer.Host != "":
			m.Source = path.Join(outer.Host, strings.TrimPrefix(hostsFile, at))
		default:
			m.Source = ""
		}
		break
	}
	if m.Source == "" {
		m.Content = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n" + m.Content
	}
	return []manifest.Mount{m}
}

// nameLines give the sandbox's own name, and its first part, an address of each
// family: a look-up of a family that the file does not have goes on to the name
// server. They are the sandbox's fixed addresses; in place of IPv6 stands IPv4 as
// IPv6 writes it, by which others reach it, too.
func nameLines(p *schema.Profile) string {
	var v4, v6 []netip.Addr
	for _, c := range Interfaces(p) {
		for _, text := range c.Address {
			a, err := netip.ParsePrefix(text)
			switch {
			case err != nil: // which lowering the interface reports
			case a.Addr().Is4():
				v4 = append(v4, a.Addr())
			default:
				v6 = append(v6, a.Addr())
			}
		}
	}
	switch {
	case len(v4) == 0 && len(v6) == 0:
		v6 = []netip.Addr{netip.IPv6Loopback()}
	case len(v6) == 0:
		v6 = []netip.Addr{netip.AddrFrom16(v4[0].As16())}
	}
	if len(v4) == 0 {
		v4 = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 1, 1})} // as Debian does
	}
	names := p.Hostname
	if short, _, long := strings.Cut(p.Hostname, "."); long {
		names += " " + short
	}
	var lines strings.Builder
	for _, a := range append(v4, v6...) {
		fmt.Fprintf(&lines, "%s %s\n", a, names)
	}
	return lines.String()
}
