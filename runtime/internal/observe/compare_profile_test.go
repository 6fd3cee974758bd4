package observe

import (
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler/apparmor"
)

// A profile is compared rule by rule.
func TestProfilesAreComparedByTheirRules(t *testing.T) {
	p := apparmor.New("x")
	p.For("what for")
	p.File("r", apparmor.Path("/srv/a b"))
	got := rules(apparmor.Bind(p.Encode(), map[apparmor.Variable]string{"v": "/v"}))
	want := []string{"abi <abi/3.0>", `@{v} = "/v"`, `profile "x" flags=(attach_disconnected) {`, `"/srv/a\040b" r`, "}"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", got)
	}
}
