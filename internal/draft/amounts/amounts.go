// Package amounts reads sizes, times and limits as systemd and container engines write
// them, and gives them in a profile's words. What those have no word for is "", 0 or
// false, never another amount.
package amounts

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sbx-dev/sbx/internal/pattern"
)

// Span is a time of systemd's.
func Span(value string) string {
	if n, err := strconv.Atoi(value); err == nil {
		if n <= 0 || n > 1e6 {
			return ""
		}
		return strconv.Itoa(n) + "s"
	}
	for _, unit := range []struct{ long, short string }{{"min", "m"}, {"ms", "ms"}, {"sec", "s"}, {"s", "s"}, {"h", "h"}, {"hr", "h"}} {
		number, ok := strings.CutSuffix(value, unit.long)
		if n, err := strconv.Atoi(strings.TrimSpace(number)); ok && err == nil && n > 0 && n <= 1e6 {
			return strconv.Itoa(n) + unit.short
		}
	}
	return ""
}

// Bytes is a size of systemd's.
func Bytes(value string) string {
	number := strings.TrimRight(value, "KMGTB")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > 1<<50 {
		return ""
	}
	switch unit := strings.TrimSuffix(value[len(number):], "B"); {
	case unit != "" && n < 1<<20:
		return number + unit + "iB"
	case unit == "" && n >= 1<<10:
		if n >= 1<<30 {
			return fmt.Sprintf("%dMiB", n>>20)
		}
		return fmt.Sprintf("%dKiB", n>>10)
	}
	return ""
}

var engineSize = pattern.Of(`^(?i)([0-9]+)([kmg])i?b?$`)

// EngineSize is a size of a container engine's.
func EngineSize(text string) string {
	m := engineSize().FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return m[1] + strings.ToUpper(m[2]) + "iB"
}

// EngineSpan is a time as Go writes them, or in seconds.
func EngineSpan(text string) string {
	if d, err := time.ParseDuration(text); err == nil && d >= time.Second {
		return d.Round(time.Second).String()
	}
	return Span(text)
}

// Number is one above 0.
func Number(text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0 && n <= 1e12) {
		return 0
	}
	return n
}
