package resolve

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Published is a TCP port of the host that leads to the sandbox.
type Published struct {
	Listen string // address and port; an empty address is all of them
	Target string // address and port of the sandbox
}

// published lists the ports of the host that lead to the sandbox. Connections
// through them come from the host, whoever made them: so the allow-list must let
// everyone in, or it would seem to say more than holds.
func (s *Sandbox) published() ([]Published, error) {
	var list []Published
	var faults diag.List
	for _, c := range s.Interfaces {
		for i, p := range c.Publish {
			path := fmt.Sprintf("%s.publish[%d]", c.Path, i)
			found, err := c.publish(p)
			if err == nil {
				err = checkFree(list, found)
			}
			if err != nil {
				faults = append(faults, &diag.Diagnostic{Pos: s.Source.Pos(path), Severity: diag.Error, Code: diag.Published, Path: path, Message: err.Error()})
				continue
			}
			list = append(list, found...)
		}
	}
	return list, faults.Err()
}

func (c Interface) publish(p schema.Publish) ([]Published, error) {
	if len(c.Address) == 0 {
		return nil, fmt.Errorf("the interface has no address of its own (dhcp's is not known yet) that the port could lead to")
	}
	if err := c.checkLetsIn(p.To); err != nil {
		return nil, err
	}
	prefix, err := netip.ParsePrefix(c.Address[0])
	if err != nil {
		return nil, err
	}
	target := netip.AddrPortFrom(prefix.Addr(), uint16(p.To)).String()
	on := p.On
	if len(on) == 0 {
		on = schema.List{""}
	}
	var list []Published
	for _, address := range on {
		list = append(list, Published{net.JoinHostPort(address, strconv.Itoa(p.TCP)), target})
	}
	return list, nil
}

// checkLetsIn wants a rule that lets everyone reach the TCP port.
func (c Interface) checkLetsIn(port int) error {
	some := false
	for _, r := range c.Allow {
		if r.In == nil || !r.In.Any && !slices.ContainsFunc(r.In.TCP, func(p schema.Ports) bool { return int(p.From) <= port && port <= int(p.To) }) {
			continue
		}
		if len(r.From) == 0 {
			return nil
		}
		some = true
	}
	if some {
		return fmt.Errorf("allow lets only some in at tcp port %d, but whoever reaches the host's port would get there: drop from from the rule, or do not publish the port", port)
	}
	return fmt.Errorf("allow does not let anyone in at tcp port %d: add {in: tcp: [%d]}", port, port)
}

// checkFree refuses a port that another one takes already.
func checkFree(taken, more []Published) error {
	for _, p := range more {
		address, port, err := net.SplitHostPort(p.Listen)
		if err != nil {
			return err
		}
		for _, other := range taken {
			otherAddress, otherPort, err := net.SplitHostPort(other.Listen)
			if err != nil {
				return err
			}
			if port == otherPort && (address == otherAddress || address == "" || otherAddress == "") {
				return fmt.Errorf("the host's port %s is published twice", port)
			}
		}
	}
	return nil
}
