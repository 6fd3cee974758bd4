package service

import (
	"testing"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// Duplicate address detection is waited for where the profile has an address of IPv6.
func TestHasIPv6(t *testing.T) {
	s := new(Service)
	s.ReachedAt([]manifest.Interface{
		{Name: "eth0", Addresses: []string{"192.0.2.80/24"}},
		{Name: "eth1", Addresses: []string{"192.0.2.81/24", "2001:db8::80/64"}},
		{Name: "eth2", DHCP: true},
	})
	for device, want := range map[string]bool{"eth0": false, "eth1": true, "eth2": false, "eth3": false} {
		if got := s.hasIPv6(device); got != want {
			t.Errorf("%s is waited for: %t, want %t", device, got, want)
		}
	}
}
