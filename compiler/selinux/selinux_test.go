package selinux_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler/selinux"
)

// Whatever a path is made of, the line of a host's table that its label becomes is one of
// three words, whose expression takes the path and what is below, and no other.
func TestALabelIsOfOnePath(t *testing.T) {
	every := "/"
	for c := 1; c < 256; c++ {
		every += string([]byte{byte(c)})
	}
	context := regexp.MustCompile(`\(filecon "([^"\n]*)" any \(system_u object_r content \(\(s0 \(c1 c2\)\) \(s0 \(c1 c2\)\)\)\)\)`)
	for _, path := range []string{every, "/srv/plain", "/a b", `/a"b`, `/a\b`, "/a.b", "/a*", "/a(b|c)+", "/a\tb\nc", "/ä/\xff", `/x")) (allow process shadow_t (file (read)))`} {
		t.Run(strconv.Quote(path), func(t *testing.T) {
			p := selinux.New("x", selinux.Container)
			p.Label(path, "c1,c2")
			found := context.FindAllSubmatch(p.Encode(), -1)
			if len(found) != 1 {
				t.Fatalf("%s", p.Encode())
			}
			text := string(found[0][1])
			if len(strings.Fields(text)) != 1 {
				t.Errorf("%q is more than one word", text)
			}
			// One byte is one character here and one rune there.
			byBytes := func(s string) string {
				var runes []rune
				for _, b := range []byte(s) {
					runes = append(runes, rune(b))
				}
				return string(runes)
			}
			line := regexp.MustCompile("(?s)^(?:" + text + ")$")
			for other, want := range map[string]bool{path: true, path + "/below": true, path + "x": false, "x" + path: false, "/axb": false, strings.ToUpper(path): strings.ToUpper(path) == path} {
				if got := line.MatchString(byBytes(other)); got != want {
					t.Errorf("%q takes %q: %v", text, other, got)
				}
			}
		})
	}
}

// What no type of the host is known of, nothing is opened for.
func TestAPolicyWithoutTypes(t *testing.T) {
	policy := selinux.New("x", selinux.Machine).Encode()
	if got := selinux.Bind(policy, "x", nil, nil); string(got) != string(policy) {
		t.Errorf("%s", got)
	}
	if got := selinux.Bind(policy, "x", []string{"usr_t", "etc_t"}, []string{"var_t"}); !strings.HasSuffix(string(got), ")\n(typeattributeset sbx_x.paths (usr_t etc_t))\n(typeattributeset sbx_x.images (var_t))\n") {
		t.Errorf("%s", got)
	}
}
