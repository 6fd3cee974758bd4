package amounts

import (
	"testing"

	"github.com/sbx-dev/sbx/schema"
)

// TestLimit reads limits of units and of compose files, and refuses what no profile says.
func TestLimit(t *testing.T) {
	const none = -1
	for _, c := range []struct {
		name, value string
		soft, hard  schema.Amount
	}{
		{"nofile", "4096", 4096, 4096},
		{"nofile", "1024:524288", 1024, 524288},
		{"nofile", "infinity", 1 << 20, 1 << 20},
		{"nofile", "2097152", none, none},
		{"memlock", "64M", 64 << 20, 64 << 20},
		{"memlock", "-1", schema.Unlimited, schema.Unlimited},
		{"memlock", "85983232", 85983232, 85983232},
		{"core", "0", 0, 0},
		{"core", "0:infinity", 0, schema.Unlimited},
		{"stack", "9:8", none, none},
		{"fsize", "9007199254740992", none, none},
		{"fsize", "9000T", none, none},
		{"cpu", "2min", 120, 120},
		{"cpu", "90", 90, 90},
		{"nproc", "64K", none, none},
		{"nproc", "", none, none},
		{"rtprio", "10", none, none},
	} {
		u, ok := Limit(c.name, c.value)
		if c.soft == none {
			if ok {
				t.Errorf("%s %q is %v", c.name, c.value, u)
			}
			continue
		}
		if want := (schema.Ulimit{Soft: c.soft, Hard: c.hard}); !ok || u != want {
			t.Errorf("%s %q is %v (%v); want %v", c.name, c.value, u, ok, want)
		}
	}
}

// TestText writes limits in the shortest of a profile's words.
func TestText(t *testing.T) {
	for _, c := range []struct {
		name   string
		amount schema.Amount
		want   string
	}{
		{"memlock", 64 << 20, "64MiB"},
		{"memlock", 82<<20 + 4<<10, "85987328"}, // of five digits it is no shorter
		{"nofile", 65536, "65536"},
		{"core", schema.Unlimited, "unlimited"},
		{"core", 0, "0"},
	} {
		if text, _ := Text(c.name, c.amount); text != c.want {
			t.Errorf("%s %d is %q; want %q", c.name, int64(c.amount), text, c.want)
		}
	}
}
