package learn

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/schema"
)

// learnUnused looks for what is open and was not used.
func (s *student) learnUnused() {
	s.unusedPaths()
	for _, n := range s.networks() {
		for i, r := range n.rules {
			at := schema.Elem(n.path, i)
			switch {
			case r.In != nil:
				s.unusedPorts(at+".in.tcp", at, "tcp", r.In.TCP, len(r.In.UDP)+len(r.In.SCTP))
				s.unusedPorts(at+".in.udp", at, "udp", r.In.UDP, len(r.In.TCP)+len(r.In.SCTP))
			case r.Out != nil && (len(r.Out.TCP) > 0 || len(r.Out.UDP) > 0) && !s.sentBy(at):
				s.unused(at, "nothing was sent that it lets out")
			}
			if r.In != nil && (len(r.In.ICMP) > 0 || len(r.In.ICMPv6) > 0) || r.Out != nil && (len(r.Out.ICMP) > 0 || len(r.Out.ICMPv6) > 0) {
				s.note("ICMP", "whether its rules were used cannot be seen")
			}
		}
	}
	s.unusedCapabilities()
	s.unusedSyscalls()
}

// unusedPaths looks at what is exposed and mounted.
func (s *student) unusedPaths() {
	used := map[string]bool{}
	for _, p := range s.Record.Paths {
		if p.Error == "ENOENT" || p.Error == "ENOTDIR" {
			continue
		}
		for _, hop := range s.hops(plain(p.Path)) {
			if m := s.mountOf(hop); m != nil {
				used[m.path] = true
			}
		}
	}
	for _, m := range slices.Backward(s.mounts) {
		if used[m.path] {
			continue
		}
		if s.named() && (m.at == "/etc/passwd" || m.at == "/etc/group") {
			continue // sbx-init looks the profile's users up there
		}
		s.unused(m.path, "nothing asked for %s or anything in it", m.at)
	}
}

// named says whether the profile names users, other than root, by their names.
func (s *student) named() bool {
	names := []string{s.Profile.Run.User}
	for _, m := range s.Profile.Mounts {
		names = append(names, m.Owner)
	}
	return slices.ContainsFunc(names, func(name string) bool {
		return name != "root" && strings.Trim(name, "0123456789:") != ""
	})
}

// hops are the paths by which a path is reached: itself, and where links lead, as they
// are on the host.
func (s *student) hops(at string) []string {
	list := []string{at}
	for range maxLinks {
		next := ""
		rest, done := strings.Split(strings.Trim(at, "/"), "/"), ""
		for i, name := range rest {
			done += "/" + name
			info, err := s.Host.Lstat(rootless(s.onHost(done)))
			if err != nil || info.Mode()&fs.ModeSymlink == 0 {
				continue
			}
			target, err := s.Host.ReadLink(rootless(s.onHost(done)))
			if err != nil {
				return list
			}
			if !path.IsAbs(target) {
				target = path.Join(path.Dir(done), target)
			}
			next = plain(path.Join(append([]string{target}, rest[i+1:]...)...))
			break
		}
		if next == "" || slices.Contains(list, next) {
			return list
		}
		list, at = append(list, next), next
	}
	return list
}

// onHost is where on the host that stands which is at a path inside.
func (s *student) onHost(at string) string {
	if m := s.mountOf(at); m != nil && m.host != "" {
		return m.host + strings.TrimPrefix(at, m.at)
	}
	return at
}

// rules are one interface's, and where they stand.
type rules struct {
	path  string
	rules []schema.Rule
}

func (s *student) networks() (list []rules) {
	if n := s.Profile.Network; n != nil {
		list = append(list, rules{"network.allow", n.Allow})
	}
	for _, p := range s.Policies {
		if n, ok := s.Profile.Networks[p.Key]; ok && p.Key != "" {
			list = append(list, rules{p.Path + ".allow", n.Allow})
		}
	}
	return list
}

// unusedPorts proposes the ports of a rule at which nobody listens, or the rule where it
// has no others.
func (s *student) unusedPorts(list, rule, proto string, ports []schema.Ports, others int) {
	var idle []int
	for i, p := range ports {
		if s.listener(proto, p.From, p.To) == nil {
			idle = append(idle, i)
		}
	}
	if len(ports) > 0 && len(idle) == len(ports) && others == 0 {
		s.unused(rule, "nothing listened at %s %s", proto, portList(ports))
		return
	}
	for _, i := range idle {
		s.unused(schema.Elem(list, i), "nothing listened at %s %s", proto, ports[i])
	}
}

func portList(ports []schema.Ports) string {
	var list []string
	for _, p := range ports {
		list = append(list, p.String())
	}
	return strings.Join(list, ", ")
}

// sentBy says whether something was sent that the rule lets out.
func (s *student) sentBy(rule string) bool {
	for _, o := range s.Record.Sockets {
		if o.Listens {
			continue
		}
		if d := s.sender(o); d != nil && d.Rule != nil && d.Rule.Path == rule {
			return true
		}
	}
	return false
}

// unusedCapabilities looks at those whose use shows in a call.
func (s *student) unusedCapabilities() {
	shows, used := map[string]bool{}, map[string]bool{}
	for _, capability := range byCall {
		shows[capability] = true
	}
	for _, c := range s.Record.Calls {
		if c.Error == "" {
			used[capabilityOf(c)] = true
		}
	}
	for i, capability := range s.Profile.Capabilities {
		at := schema.Elem("capabilities", i)
		switch {
		case !shows[capability]:
			s.note(fmt.Sprintf("capability %s", capability), "whether it was used cannot be seen: the kernel asks for it in many places")
		case !used[capability]:
			s.unused(at, "no call succeeded that takes it")
		}
	}
}
