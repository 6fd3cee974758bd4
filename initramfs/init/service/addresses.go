package service

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/inet6"
)

// addressTime is the longest that duplicate address detection is waited for:
// Linux takes up to two seconds by default.
const addressTime = 5 * time.Second

// ReachedAt has the service not count as ready before the sandbox's addresses hold. It
// comes before Run.
func (s *Service) ReachedAt(interfaces []manifest.Interface) { s.interfaces = interfaces }

// awaitAddresses waits until the sandbox can be reached at all its IPv6
// addresses.
func (s *Service) awaitAddresses(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, addressTime)
	defer cancel()
	for inet6.Tentative(s.hasIPv6) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// hasIPv6 says whether the profile gives the device an address of IPv6. The kernel gives
// each other one an address of the link, too: of no use, because nothing of IPv6 passes
// there, and not waited for, which would take up to two seconds.
func (s *Service) hasIPv6(device string) bool {
	return slices.ContainsFunc(s.interfaces, func(i manifest.Interface) bool {
		return i.Name == device && slices.ContainsFunc(i.Addresses, func(text string) bool {
			address, err := netip.ParsePrefix(text)
			return err == nil && address.Addr().Is6()
		})
	})
}
