package service

import (
	"bufio"
	"context"
	"os"
	"strconv"
	"strings"
	"time"
)

// addressTime is the longest that duplicate address detection is waited for:
// Linux takes up to two seconds by default.
const addressTime = 5 * time.Second

// tentative is the kernel's IFA_F_TENTATIVE: an address that may turn out to be
// another's too, so that nothing can reach it yet.
const tentative = 0x40

// awaitAddresses waits until the sandbox can be reached at all its IPv6
// addresses.
func awaitAddresses(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, addressTime)
	defer cancel()
	for anyTentative() {
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// anyTentative reads /proc/net/if_inet6, whose fifth column is an address's
// flags in hexadecimal. A kernel without IPv6 has no such file.
func anyTentative() bool {
	f, err := os.Open("/proc/net/if_inet6")
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		columns := strings.Fields(lines.Text())
		if len(columns) < 5 {
			continue
		}
		if flags, err := strconv.ParseUint(columns[4], 16, 32); err == nil && flags&tentative != 0 {
			return true
		}
	}
	return false
}
