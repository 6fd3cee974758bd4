package runtime_test

import (
	"os"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

const eitherKind = `package either

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "either"
	backend: "BACKEND"
	run: argv: ["/usr/bin/sleep", "1000"]
	expose: ["/usr"]
}
`

// A container and a machine of one name would have one folder, one id and one
// address: the second is refused, and the first runs on.
func TestANameIsOneKinds(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	container := compileText(t, strings.ReplaceAll(eitherKind, "BACKEND", "lxc"))
	machine := compileText(t, strings.ReplaceAll(eitherKind, "BACKEND", "kvm"))
	up(t, r, container)
	_, upErr := r.Up(t.Context(), machine)
	_, planErr := r.Plan([]*compiler.Bundle{machine}, false)
	for verb, err := range map[string]error{"up": upErr, "plan": planErr} {
		if fault.Code(err) != diag.NameTaken {
			t.Errorf("%s: %v", verb, err)
		}
	}
	if p := planFor(t, r, container); len(p.Changes) != 0 {
		t.Errorf("the container has changed: %v", p.Changes)
	}
}

// Where libvirt has a daemon for each driver, the one that nobody installed is no
// reason not to use the other.
func TestADaemonForEachDriver(t *testing.T) {
	testhost.Need(t)
	const one, own = "/run/libvirt/libvirt-sock", "/run/libvirt/virtlxcd-sock"
	if err := os.Rename(one, own); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the sandbox has gone
		if err := os.Rename(own, one); err != nil {
			t.Fatal(err)
		}
	})
	r := newRuntime(t)
	up(t, r, compileText(t, strings.ReplaceAll(eitherKind, "BACKEND", "lxc")))
	if s := measured(t, r, "either"); s.State != "running" {
		t.Errorf("it is %+v", s)
	}
	machine := compileText(t, strings.ReplaceAll(eitherKind, "BACKEND", "kvm"))
	if _, err := r.Up(t.Context(), machine); fault.Code(err) != diag.NoLibvirt {
		t.Errorf("a machine: %v", err)
	}
}
