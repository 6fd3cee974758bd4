package nftables

import "github.com/sbx-dev/sbx/compiler/firewall"

// Compile writes the inner wall of the policy's interface, whose end on the host is the
// device. There is none where the rules are ErrTooMany, or space.ErrOverlaps.
func Compile(p *firewall.Policy, device string) (*Table, error) {
	all, err := sets(p)
	if err != nil {
		return nil, err
	}
	return &Table{Name: p.Interface().Filter, Device: device, Sets: all, Chains: chains(p, device)}, nil
}
