package learn

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/internal/observed"
)

// learnSockets looks at whom the sandbox has sent to.
func (s *student) learnSockets() {
	for _, o := range s.Record.Sockets {
		to := o.Addr.Addr()
		if o.Listens || to.IsMulticast() || to.IsLinkLocalUnicast() || to == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
			continue
		}
		if len(s.Policies) == 0 {
			s.note(fmt.Sprintf("%s to %v", o.Proto, o.Addr), "%s sent there, and the sandbox has no network", o.Program)
			continue
		}
		if s.sender(o) != nil {
			continue
		}
		s.propose(s.speaks(to).Path+".allow", fmt.Sprintf("{out: %s: [%d], to: %q}", o.Proto, o.Addr.Port(), to),
			"%s sent to %v by %s, which no rule lets out", o.Program, o.Addr, o.Proto)
	}
}

// speaks is the policy of an interface that has the address's family, or the first.
func (s *student) speaks(to netip.Addr) compiler.Policy {
	i := slices.IndexFunc(s.Policies, func(p compiler.Policy) bool { return p.Speaks(to.Is6()) })
	return s.Policies[max(i, 0)]
}

// sender is the decision that lets out what was sent; nil where none does.
func (s *student) sender(o observed.Socket) *firewall.Decision {
	return s.decide(fmt.Sprintf("out %s -> %v", o.Proto, o.Addr))
}

// decide asks all interfaces about a packet; nil where none lets it pass.
func (s *student) decide(packet string) *firewall.Decision {
	for _, p := range s.Policies {
		parsed, err := p.ParsePacket(packet)
		if err != nil { // not of this interface's family
			continue
		}
		if d := p.Eval(parsed); d.Accept || d.Residual {
			return &d
		}
	}
	return nil
}

// learnPackets looks at who has tried to reach the sandbox and did not.
func (s *student) learnPackets() {
	for _, o := range s.Record.Packets {
		if o.Passed {
			continue
		}
		what := fmt.Sprintf("%s %d", o.Proto, o.To.Port())
		listener := s.listener(o.Proto, o.To.Port(), o.To.Port())
		if listener == nil {
			s.note(what, "%v tried to reach it, and nothing inside listens there", o.From)
			continue
		}
		s.propose(s.of(o.To.Addr()).Path+".allow", fmt.Sprintf("{in: %s: [%d]}", o.Proto, o.To.Port()),
			"%s listens there, and %v tried to reach it and was dropped (\"from\" would narrow it)", listener.Program, o.From)
	}
	for _, o := range s.Record.Sockets {
		if !o.Listens || o.Proto != "tcp" || o.Addr.Addr().IsLoopback() || len(s.Policies) == 0 || s.admits(o) { // what a client of UDP sends from looks the same
			continue
		}
		at, rule := s.of(o.Addr.Addr()).Path+".allow", fmt.Sprintf("{in: %s: [%d]}", o.Proto, o.Addr.Port())
		switch {
		case s.open[at+"\x00"+rule] != nil:
		case s.Failed:
			s.propose(at, rule, "%s listened there, no rule lets anybody in, and it ended before anybody could try (\"from\" would narrow it)", o.Program)
		default:
			s.note(fmt.Sprintf("%s %d", o.Proto, o.Addr.Port()), "%s listens there and no rule lets anybody in, which nobody tried either", o.Program)
		}
	}
}

// of is the policy of the interface that has the address, or the first.
func (s *student) of(address netip.Addr) compiler.Policy {
	i := slices.IndexFunc(s.Policies, func(p compiler.Policy) bool {
		return slices.Contains(p.Locals(address.Is6()), address)
	})
	return s.Policies[max(i, 0)]
}

// admits says whether any rule lets anybody come to where a program listens.
func (s *student) admits(o observed.Socket) bool {
	for _, p := range s.Policies {
		for _, r := range p.Rules() {
			if !r.In {
				continue
			}
			if r.Any || slices.ContainsFunc(r.Services, func(v firewall.Service) bool {
				return v.Proto == protocols[o.Proto] && v.Low <= o.Addr.Port() && o.Addr.Port() <= v.High
			}) {
				return true
			}
		}
	}
	return false
}

// protocols are what a record names.
var protocols = map[string]firewall.Proto{"tcp": firewall.TCP, "udp": firewall.UDP}

// listener is who listens on one of the ports, not for the sandbox itself alone.
func (s *student) listener(proto string, from, to uint16) *observed.Socket {
	for i, o := range s.Record.Sockets {
		if o.Listens && o.Proto == proto && !o.Addr.Addr().IsLoopback() && from <= o.Addr.Port() && o.Addr.Port() <= to {
			return &s.Record.Sockets[i]
		}
	}
	return nil
}
