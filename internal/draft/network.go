package draft

import (
	"io/fs"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"

	"github.com/sbx-dev/sbx/internal/draft/cuetext"
	"github.com/sbx-dev/sbx/internal/draft/hostfile"
	"github.com/sbx-dev/sbx/internal/draft/known"
	"github.com/sbx-dev/sbx/internal/draft/listening"
	"github.com/sbx-dev/sbx/internal/draft/profile"
	"github.com/sbx-dev/sbx/internal/pattern"
	"github.com/sbx-dev/sbx/schema"
)

// port is one that the service listens on.
type port struct {
	protocol string // "tcp" or "udp"
	number   int
	why      string
	local    bool // for this host's processes alone, on an address of loopback
}

// maxPorts is how many ports a draft opens.
const maxPorts = 32

// ports are what the service listens on: what its configuration says by the table of
// services, else the table's own, else the unit's socket and the unit while it runs.
func (s *service) ports() (all []port) {
	for _, l := range s.known.Listens {
		all = append(all, s.configured(l)...)
	}
	if len(all) == 0 {
		all = append(s.socket(), s.running()...)
	}
	slices.SortStableFunc(all, func(a, b port) int {
		if a.protocol != b.protocol {
			return strings.Compare(a.protocol, b.protocol)
		}
		if a.number != b.number {
			return a.number - b.number
		}
		return strings.Compare(strconv.FormatBool(a.local), strconv.FormatBool(b.local)) // who lets in all does
	})
	all = slices.CompactFunc(all, func(a, b port) bool { return a.protocol == b.protocol && a.number == b.number })
	all = all[:min(len(all), maxPorts)]
	for _, p := range all {
		if p.local && s.known.Own == "" {
			s.edit("run.argv: it listens on 127.0.0.1 or ::1 alone (%s %d), which inside is the sandbox's own: have it listen on 0.0.0.0", p.protocol, p.number)
		}
	}
	return all
}

// configured is a port as configuration says it, or the usual one.
func (s *service) configured(l known.Listens) (all []port) {
	protocol, usual := "tcp", l.TCP
	if l.UDP != 0 {
		protocol, usual = "udp", l.UDP
	}
	if l.File != "" && l.Find != "" {
		find := regexp.MustCompile("(?m)" + l.Find)
		files, _ := fs.Glob(s.host, strings.TrimPrefix(l.File, "/"))
		for _, f := range files {
			data, err := hostfile.Read(s.host, f, maxConfigFile)
			if err != nil {
				continue
			}
			for _, m := range find.FindAllSubmatch(data, maxPorts) {
				if n, err := strconv.Atoi(string(m[len(m)-1])); err == nil && 0 < n && n < 1<<16 {
					all = append(all, port{protocol: protocol, number: n, why: l.Why + " in /" + f})
				}
			}
		}
	}
	if len(all) == 0 && usual != 0 {
		all = []port{{protocol: protocol, number: usual, why: l.Why, local: l.Local}}
	}
	return all
}

// socket are the ports of a unit's socket unit. systemd hands them over, which sbx
// does not.
func (s *service) socket() (all []port) {
	name := strings.TrimSuffix(s.unit.Name, ".service") + ".socket"
	for _, folder := range []string{"etc/systemd/system/", "usr/lib/systemd/system/", "lib/systemd/system/"} {
		data, err := hostfile.Read(s.host, folder+name, maxConfigFile)
		if err != nil {
			continue
		}
		for _, m := range socketLine().FindAllStringSubmatch(string(data), maxPorts) {
			if n, err := strconv.Atoi(m[3]); err == nil && 0 < n && n < 1<<16 {
				address, _ := netip.ParseAddr(strings.Trim(m[2], "[]"))
				all = append(all, port{map[string]string{"Stream": "tcp", "Datagram": "udp"}[m[1]], n, "Listen" + m[1] + " of " + name, address.IsLoopback()})
			}
		}
		if len(all) > 0 || anySocketLine().Match(data) {
			s.edit("run.argv: %s listens for the service and hands its sockets over, which sbx does not: have the service listen itself", name)
		}
		return all
	}
	return nil
}

var socketLine = pattern.Of(`(?m)^Listen(Stream|Datagram)=(?:([0-9.]+|\[[0-9a-f:]+\]):)?([0-9]+)\s*$`)

var anySocketLine = pattern.Of(`(?m)^Listen[A-Za-z]+=.`)

// running are the ports that the processes of the unit listen on, if it runs.
func (s *service) running() (all []port) {
	for _, slice := range []string{"system.slice/", "system.slice/system-" + strings.ReplaceAll(strings.SplitN(s.unit.Name, "@", 2)[0], "-", `\x2d`) + ".slice/"} {
		data, err := fs.ReadFile(s.host, "sys/fs/cgroup/"+slice+s.unit.Name+"/cgroup.procs")
		if err != nil {
			continue
		}
		for _, l := range listening.Of(s.host, strings.Fields(string(data))) {
			all = append(all, s.configured(l)...)
		}
		return all
	}
	return nil
}

// network is the interface and its rules, with remarks before it; nil where there is
// none.
func (s *service) network(ports []port) (expr ast.Expr, remarks []string) {
	if isYes(s.unit, "PrivateNetwork") {
		s.done("PrivateNetwork")
		return nil, nil
	}
	s.done("PrivateNetwork")
	if len(ports) == 0 && len(s.known.Out) == 0 {
		s.edit("network: what %s listens on is not known: it gets no network; name its ports in network.allow", s.unit.Name)
		return nil, nil
	}
	host, inside := profile.Subnet(s.Name)
	var n, create cuetext.Group
	kind := "isolated"
	if len(s.known.Out) > 0 {
		kind = "nat"
	}
	create.Add("mode", cuetext.Text(kind), "")
	create.Add("address", cuetext.Text(netip.PrefixFrom(host, profile.SubnetBits).String()), "")
	n.Add("attach", cuetext.Text("sbx-"+s.Name), "")
	n.Add("create", create.Inline(), "")
	n.Add("address", cuetext.Text(schema.Auto), "")
	if len(s.known.Out) > 0 {
		n.Add("gateway", cuetext.Text(host.String()), "")
	}
	var rules []cuetext.Item
	for _, p := range ports {
		from := ""
		if s.known.Own != "" || p.local {
			from = host.String()
		}
		rules = append(rules, cuetext.Item{Value: profile.Rule("in", p.protocol, []int{p.number}, from), Remark: p.why})
	}
	for _, o := range s.known.Out {
		if len(o.TCP) > 0 {
			rules = append(rules, cuetext.Item{Value: profile.Rule("out", "tcp", o.TCP, ""), Remark: o.Why})
		}
		if len(o.UDP) > 0 {
			rules = append(rules, cuetext.Item{Value: profile.Rule("out", "udp", o.UDP, ""), Remark: o.Why})
		}
	}
	n.Add("allow", cuetext.Lines(rules), "")
	remarks = []string{"a network of its own with the host, which reaches it at " + inside.String()}
	if s.known.Own != "" {
		remarks = append(remarks, "the host alone may connect: "+s.known.Own)
	}
	return n.Expr(), remarks
}
