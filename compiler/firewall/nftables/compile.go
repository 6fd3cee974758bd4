package nftables

import "github.com/sbx-dev/sbx/compiler/firewall"

// Compile writes the inner wall of the policy's interface, whose end on the host is the
// device. The error says why there can be none: the rules overlap in too many ways, or
// are too many.
func Compile(p *firewall.Policy, device string) (*Table, error) {
	all, err := sets(p)
	if err != nil {
		return nil, err
	}
	return &Table{Name: p.Interface().Filter, Device: device, Sets: all, Chains: chains(p, device)}, nil
}
