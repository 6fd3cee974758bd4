// Package oomkill reads how many processes the kernel has killed because the
// memory was full.
package oomkill

import (
	"os"
	"strconv"
	"strings"
)

// Count is the count in a file that has it under the name "oom_kill": a whole
// machine's /proc/vmstat, and a control group's memory.events or, in version 1,
// memory.oom_control. It is 0 where it cannot be read.
func Count(file string) (n uint64) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, _ = strconv.ParseUint(strings.TrimSpace(value), 10, 64)
		}
	}
	return n
}
