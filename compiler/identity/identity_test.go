package identity

import (
	"fmt"
	"regexp"
	"testing"
)

// The values are part of what a bundle promises: a release that changed one
// would move running sandboxes to other ids and addresses.
func TestDerivedNamesAreStable(t *testing.T) {
	for _, c := range []struct{ what, got, want string }{
		{"uuid", UUID("domain", "apache"), "0dde0bcc-00be-5be4-a5ab-8dbc7231e702"},
		{"mac", MAC("apache", "").String(), "02:28:39:ce:de:8a"},
		{"device", Device("apache", ""), "sbxfd9ff50b0d7c"},
		{"bridge", Bridge("sbx-web"), "sbxbrb44d5d92fd"},
		{"ids", fmt.Sprint(IDBase("apache")), "1835925504"},
		{"helpers", fmt.Sprint(HelperID("apache")), "1941218457"},
		{"categories", Categories("apache"), "c101,c769"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", c.what, c.got, c.want)
		}
	}
}

func TestDerivedNamesFitTheirFields(t *testing.T) {
	device := regexp.MustCompile(`^sbx[0-9a-f]{12}$`) // 15 characters: IFNAMSIZ less the NUL
	mac := regexp.MustCompile(`^02(:[0-9a-f]{2}){5}$`)
	seen := map[string]string{}
	for i := range 2000 {
		name := fmt.Sprintf("sandbox-%d", i)
		if d := Device(name, ""); !device.MatchString(d) {
			t.Errorf("device %q", d)
		}
		if b := Bridge(name); len(b) != 15 {
			t.Errorf("bridge %q", b)
		}
		if m := MAC(name, "").String(); !mac.MatchString(m) {
			t.Errorf("mac %q", m)
		}
		base := IDBase(name)
		if base%IDCount != 0 || base < IDFirst || base+IDCount-1 > IDLast {
			t.Errorf("%s: ids from %#x", name, base)
		}
		if id := HelperID(name); id < HelperFirst || id > HelperLast {
			t.Errorf("%s: helpers as %#x", name, id)
		}
		var low, high int
		if _, err := fmt.Sscanf(Categories(name), "c%d,c%d", &low, &high); err != nil || low >= high || high > 1023 {
			t.Errorf("%s: categories %s", name, Categories(name))
		}
		for _, v := range []string{MAC(name, "").String(), Device(name, ""), UUID("domain", name)} {
			if other, ok := seen[v]; ok {
				t.Errorf("%s and %s share %s", name, other, v)
			}
			seen[v] = name
		}
	}
}

func TestHashKeepsWordsApart(t *testing.T) {
	if MAC("ab", "c").String() == MAC("a", "bc").String() {
		t.Error("two different pairs of words have the same hash")
	}
}
