package amounts

import (
	"strconv"
	"strings"
	"time"

	"github.com/sbx-dev/sbx/schema"
)

// limited is what a profile can limit for a process, and whether it is counted in bytes.
var limited = map[string]bool{
	"as": true, "core": true, "cpu": false, "data": true, "fsize": true, "memlock": true,
	"msgqueue": true, "nofile": false, "nproc": false, "sigpending": false, "stack": true,
}

// mostFiles is what there is of open files where somebody asks for all that there are.
const mostFiles = 1 << 20

// Limit is a limit of a process, of the name that profiles give it: one amount, or two
// as in "1024:4096".
func Limit(name, value string) (schema.Ulimit, bool) {
	inBytes, ok := limited[name]
	if !ok {
		return schema.Ulimit{}, false
	}
	first, second, two := strings.Cut(value, ":")
	soft, ok := limit(name, first, inBytes)
	if !ok || !two {
		return schema.Ulimit{Soft: soft, Hard: soft}, ok
	}
	hard, ok := limit(name, second, inBytes)
	return schema.Ulimit{Soft: soft, Hard: hard}, ok && soft <= hard
}

func limit(name, value string, inBytes bool) (schema.Amount, bool) {
	value = strings.TrimSpace(value)
	if value == "infinity" || value == "unlimited" || value == "-1" {
		if name == "nofile" {
			return mostFiles, true
		}
		return schema.Unlimited, true
	}
	number, shift := value, 0
	if inBytes && value != "" {
		if i := strings.IndexByte("KMGT", value[len(value)-1]); i >= 0 {
			number, shift = value[:len(value)-1], 10*(i+1)
		}
	}
	if name == "cpu" && Span(value) != "" {
		d, err := time.ParseDuration(Span(value))
		return schema.Amount((d + time.Second - 1) / time.Second), err == nil
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil && shift == 0 && inBytes {
		n, err = strconv.ParseUint(number, 10, 53)
	}
	if err != nil || n>>(53-shift) > 0 || name == "nofile" && n > mostFiles {
		return 0, false
	}
	return schema.Amount(n << shift), true
}

// Text is a limit's amount as a profile says it: a number, where it has no shorter word.
func Text(name string, a schema.Amount) (text string, isNumber bool) {
	if a == schema.Unlimited {
		return a.String(), false
	}
	if limited[name] && a > 0 {
		for _, unit := range []struct {
			shift int
			name  string
		}{{30, "GiB"}, {20, "MiB"}, {10, "KiB"}} {
			if n := int64(a) >> unit.shift; n<<unit.shift == int64(a) && n < 10000 {
				return strconv.FormatInt(n, 10) + unit.name, false
			}
		}
	}
	return a.String(), true
}
