package resolve

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// fitFirewalls has the sandbox be able to use what its rules open.
func (s *Sandbox) fitFirewalls() {
	for r := range s.rules() {
		s.Manifest.Ping = s.Manifest.Ping || r.OpensEcho()
		if s.Backend.BootsKernel() && slices.ContainsFunc(r.Services, func(v firewall.Service) bool { return v.Proto == firewall.SCTP }) && !r.Any {
			s.Manifest.Modules = addModules(s.Manifest.Modules, r.Path, "sctp")
		}
	}
}

// rules are those of all interfaces.
func (s *Sandbox) rules() func(yield func(firewall.Rule) bool) {
	return func(yield func(firewall.Rule) bool) {
		for _, c := range s.Interfaces {
			for _, r := range c.Policy.Rules() {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// unusable remarks on what the profile opens and the sandbox cannot use.
func (s *Sandbox) unusable() diag.List {
	return slices.Concat(s.closedPorts(), s.closedRequests(), s.noRoutes(), s.closedServers(), s.closedFolders(), s.noNesting(), s.endpoints(), s.idleDevices(), s.toldFigures())
}

func (s *Sandbox) remark(at, help, format string, args ...any) *diag.Diagnostic {
	return &diag.Diagnostic{Pos: s.Source.Pos(at), Severity: diag.Warning, Code: diag.Unusable, Path: at, Message: fmt.Sprintf(format, args...), Help: help}
}

// holds says whether the command holds the capability; if not, mend is what to add.
func (s *Sandbox) holds(capability string) (ok bool, mend string) {
	root := slices.Contains(s.Capabilities, capability)
	switch {
	case s.Run.Root():
		return root, fmt.Sprintf("add %q to capabilities", capability)
	case root:
		return slices.Contains(s.Run.Capabilities, capability), fmt.Sprintf("add %q to run.capabilities", capability)
	}
	return false, fmt.Sprintf("add %q to capabilities and to run.capabilities", capability)
}

// unprivilegedPorts is the first port that needs no capability: what a new network
// namespace and a new kernel have (ip_unprivileged_port_start in ip-sysctl.rst).
const unprivilegedPorts = 1024

// closedPorts finds the ports that are let in, or asked, and that the command may
// not listen on. They have one cause, so they are one remark.
func (s *Sandbox) closedPorts() diag.List {
	const capability = "net_bind_service"
	ok, mend := s.holds(capability)
	places := s.lowPorts()
	if ok || len(places) == 0 {
		return nil
	}
	d := s.remark(places[0].path, mend, "the command runs as %s and may not listen on %s: ports below %d need %s", s.Run.User, places[0].text, unprivilegedPorts, capability)
	for _, p := range places[1:] {
		d.Notes = append(d.Notes, diag.Note{Pos: s.Source.Pos(p.path), Message: "nor on " + p.text})
	}
	return diag.List{d}
}

// place is a part of the profile that speaks of something.
type place struct{ path, text string }

// lowPorts are the places that speak of ports below unprivilegedPorts alone.
func (s *Sandbox) lowPorts() (list []place) {
	for r := range s.rules() {
		for _, v := range r.Services {
			if r.In && v.Proto != firewall.ICMP && v.High < unprivilegedPorts {
				list = append(list, place{r.Path, fmt.Sprintf("%s %s", v.Proto, schema.Ports{From: v.Low, To: v.High})})
				break
			}
		}
	}
	probe := func(path string, p schema.Probe) {
		port := p.TCP
		if p.HTTP != nil {
			port = p.HTTP.Port
		}
		if port != 0 && port < unprivilegedPorts {
			list = append(list, place{path, fmt.Sprintf("tcp %d", port)})
		}
	}
	if s.Run.Ready != nil {
		probe("run.ready", s.Run.Ready.Probe)
	}
	if s.Run.Health != nil {
		probe("run.health", s.Run.Health.Probe)
	}
	return list
}

// closedRequests finds the rules for packets that only a raw socket sends.
func (s *Sandbox) closedRequests() (list diag.List) {
	const capability = "net_raw"
	ok, mend := s.holds(capability)
	for r := range s.rules() {
		if request := r.OpensRaw(); request != "" && !r.In && !ok {
			list = append(list, s.remark(r.Path, mend, "the command runs as %s and cannot send a %s: that takes %s", s.Run.User, request, capability))
		}
	}
	return list
}

// noRoutes finds the rules all of whose addresses the sandbox has no way to.
func (s *Sandbox) noRoutes() (list diag.List) {
	for _, c := range s.Interfaces {
		ways := c.ways()
		for _, r := range c.Policy.Rules() {
			if slices.ContainsFunc(r.Remotes, func(remote space.Range) bool { return slices.ContainsFunc(ways, remote.Meets) }) {
				continue
			}
			what := "what is sent there"
			if r.In {
				what = "what is answered"
			}
			list = append(list, s.remark(r.Path, "give "+c.Path+" a gateway or a route, or correct the addresses", "no route of the sandbox's leads to %s, so %s goes nowhere", remotes(r), what))
		}
	}
	return list
}

// closedServers finds the name servers that no rule lets the sandbox ask: every
// look-up waits in vain there, for seconds.
func (s *Sandbox) closedServers() (list diag.List) {
	const domain = 53
	for _, c := range s.Interfaces {
		for i, text := range c.DNS {
			server, err := netip.ParseAddr(text)
			if err != nil {
				continue // which the schema reports
			}
			open := false
			for r := range s.rules() {
				open = open || r.Opens(server.Is6(), firewall.UDP, domain, domain) &&
					slices.ContainsFunc(r.Remotes, func(remote space.Range) bool { return remote.Meets(netip.PrefixFrom(server, server.BitLen())) })
			}
			if !open {
				list = append(list, s.remark(fmt.Sprintf("%s.dns[%d]", c.Path, i), fmt.Sprintf("add a rule: {out: udp: [%d], to: %q}", domain, text),
					"no rule lets the sandbox ask the name server %s, so every look-up waits in vain", text))
			}
		}
	}
	return list
}

// ways are the addresses that the interface leads to. What a lease brings is not
// known, and a program may send to a group, or on the link, without a route.
func (c Interface) ways() []netip.Prefix {
	ways := []netip.Prefix{
		netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("255.255.255.255/32"),
		netip.MustParsePrefix("ff00::/8"), netip.MustParsePrefix("fe80::/10"),
	}
	add := func(text string) {
		if p, err := netip.ParsePrefix(text); err == nil {
			ways = append(ways, p.Masked())
		}
	}
	for _, a := range c.Address {
		add(a)
	}
	for _, r := range c.Routes {
		add(r.To)
	}
	for _, g := range c.Gateway {
		if strings.Contains(g, ":") {
			add("::/0")
		} else {
			add("0.0.0.0/0")
		}
	}
	if c.DHCP {
		add("0.0.0.0/0")
	}
	return ways
}

// remotes writes a rule's addresses.
func remotes(r firewall.Rule) string {
	var texts []string
	for _, one := range r.Remotes {
		texts = append(texts, one.String())
	}
	return strings.Join(texts, ", ")
}

// closedFolders finds the writable folders of a machine that its command's user may
// not write: their files belong to the one id that QEMU runs as.
func (s *Sandbox) closedFolders() (list diag.List) {
	ok, mend := s.holds("dac_override")
	if !s.Backend.BootsKernel() || s.Run.Root() || ok {
		return nil
	}
	for _, m := range s.Manifest.Mounts {
		if m.Kind == manifest.Export && m.Writable {
			list = append(list, s.remark(schema.Field("mounts", m.Target), mend+", or let everyone write to "+m.Source,
				"in a machine, all of %s belongs to one id, which is not that of %s", m.Target, s.Run.User))
		}
	}
	return list
}

// noNesting finds a root that may make a user namespace and not be root there, which is
// how programs with sandboxes of their own begin (user_namespaces(7), since Linux 5.12).
func (s *Sandbox) noNesting() diag.List {
	const capability = "setfcap"
	if ok, mend := s.holds(capability); s.Syscalls.Nested && s.Run.Root() && !ok {
		return diag.List{s.remark("syscalls.nested", mend+", or have another user run the command, by run.user",
			"the command runs as root, which cannot stand for itself in a user namespace of its own without %s", capability)}
	}
	return nil
}
