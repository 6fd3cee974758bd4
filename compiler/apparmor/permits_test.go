package apparmor_test

import (
	"testing"

	"github.com/sbx-dev/sbx/compiler/apparmor"
)

// What rules permit is what apparmor.d(5) says of their patterns.
func TestPermits(t *testing.T) {
	p := apparmor.New("p")
	every := "/"
	for c := 1; c < 256; c++ {
		every += string([]byte{byte(c)})
	}
	p.File("r", apparmor.Path(every))
	p.File("mrix", apparmor.Path("/usr").Tree())
	p.File("rw", "/one/*", "/deep/**", "/{a,b{c,d}}/x", "/n[0-9]/y", apparmor.Variable("own").Pattern()+"/z")
	p.Allow(`deny "/usr/secret/{,**}" rwklx`)
	p.Allow(`owner "/mine" r`)
	p.Allow("capability setuid")
	rules, err := apparmor.Rules(p.Encode(), map[apparmor.Variable]string{"own": "/o.n"})
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) != 8 {
		t.Errorf("%d rules", len(rules))
	}
	for _, c := range []struct {
		path, letter string
		want         bool
	}{
		{every, "r", true}, {every, "w", false}, {every + "x", "r", false},
		{"/usr/", "r", true}, {"/usr/bin/id", "x", true}, {"/usr/bin/id", "w", false}, {"/usr", "r", false}, {"/usrx", "r", false},
		{"/usr/secret/x", "r", false}, {"/usr/secrets", "r", true},
		{"/one/x", "w", true}, {"/one/", "w", false}, {"/one/x/y", "w", false},
		{"/deep/x/y", "w", true}, {"/deep/", "w", false},
		{"/a/x", "r", true}, {"/bc/x", "r", true}, {"/bd/x", "r", true}, {"/b/x", "r", false}, {"/a,b/x", "r", false},
		{"/n7/y", "r", true}, {"/nn/y", "r", false},
		{"/o.n/z", "r", true}, {"/oxn/z", "r", false},
		{"/mine", "r", false},
	} {
		by, got := apparmor.Permits(rules, c.path, c.letter)
		if got != c.want || got && by == nil {
			t.Errorf("%s %q: %v, by %v", c.letter, c.path, got, by)
		}
	}
	if by, _ := apparmor.Permits(rules, "/usr/secret/x", "r"); by == nil || !by.Deny {
		t.Errorf("denied by %+v", by)
	}
	if _, err := apparmor.Rules(p.Encode(), nil); err == nil {
		t.Error("a variable that nobody knows is passed over")
	}
}
