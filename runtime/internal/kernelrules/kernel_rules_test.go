package kernelrules

import (
	"slices"
	"testing"
)

// Guards are missed in the tables that an interface has rules in, and in no other:
// the filter of an interface without IPv6 has none in ip6tables, and nobody may wait
// for guards that libvirt does not make.
func TestMissingGuards(t *testing.T) {
	v4 := Rules{"iptables -A libvirt-in -m physdev --physdev-in vnet1 -g FI-vnet1", "iptables -A FI-vnet1 -j DROP"}
	v6 := Rules{"ip6tables -A libvirt-in -m physdev --physdev-in vnet2 -g FI-vnet2"}
	frames := Rules{"ebtables PREROUTING -i vnet3 -j libvirt-I-vnet3"}
	host := Rules{"ip6tables -A INPUT -j DROP"}
	all := slices.Concat(guards, v4, v6, frames, host)
	without := func(of Rules, gone ...string) Rules {
		return slices.DeleteFunc(slices.Clone(of), func(line string) bool { return slices.Contains(gone, line) })
	}
	for _, c := range []struct {
		what      string
		there, of Rules
		want      []string
	}{
		{"all are there", all, all, nil},
		{"one of IPv4 is gone, for who has such rules", without(all, guards[1]), v4, guards[1:2]},
		{"one of IPv4 is gone, for who has none", without(all, guards[1]), v6, nil},
		{"those of IPv6 are gone, for who has such rules", without(all, guards[3:]...), v6, guards[3:]},
		{"frames alone", frames, frames, nil},
		{"rules of the host itself", host, host, nil},
		{"no rule of IPv6 on a host with others", slices.Concat(guards[:3], v4, host), slices.Concat(guards[:3], v4, host), nil},
	} {
		if got := c.there.MissingGuards(c.of); !slices.Equal(got, c.want) {
			t.Errorf("%s: missing are %q, want %q", c.what, got, c.want)
		}
	}
}
