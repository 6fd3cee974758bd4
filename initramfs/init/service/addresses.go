package service

import (
	"context"
	"time"

	"github.com/sbx-dev/sbx/internal/inet6"
)

// addressTime is the longest that duplicate address detection is waited for:
// Linux takes up to two seconds by default.
const addressTime = 5 * time.Second

// awaitAddresses waits until the sandbox can be reached at all its IPv6
// addresses.
func awaitAddresses(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, addressTime)
	defer cancel()
	for inet6.Tentative(func(string) bool { return true }) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}
