// Package inet6 reads what the kernel says of this network namespace's IPv6 addresses.
package inet6

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
)

// Flags of an address, from the kernel's include/uapi/linux/if_addr.h.
const (
	dadFailed = 0x08 // another has it, too
	tentative = 0x40 // it may turn out to be another's
)

// Tentative says whether an address of a device that is wanted still waits for the end
// of duplicate address detection (RFC 4862, 5.4): nobody reaches it yet, and what
// connects from here meanwhile takes another address for its own. One that another has
// is not waited for: nothing will become of it.
func Tentative(wanted func(device string) bool) bool {
	f, err := os.Open("/proc/net/if_inet6")
	if err != nil { // a kernel without IPv6 has no such file
		return false
	}
	defer f.Close()
	return anyTentative(f, wanted)
}

// anyTentative reads lines of an address, the device's index, the prefix's length, the
// scope and the flags, all in hexadecimal, and the device's name.
func anyTentative(table io.Reader, wanted func(device string) bool) bool {
	for lines := bufio.NewScanner(table); lines.Scan(); {
		columns := strings.Fields(lines.Text())
		if len(columns) < 6 || !wanted(columns[5]) {
			continue
		}
		if flags, err := strconv.ParseUint(columns[4], 16, 32); err == nil && flags&(tentative|dadFailed) == tentative {
			return true
		}
	}
	return false
}
