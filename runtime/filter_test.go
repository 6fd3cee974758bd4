package runtime_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
)

const filteredProfile = `package filtered

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "filtered"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "1000"]
	expose: ["/usr"]
	network: {
		attach: "filtered"
		create: {mode: "isolated", address: "10.95.0.1/24"}
		address: "10.95.0.2/24"
		allow: [{in: tcp: [80]}]
	}
	resources: {memory: "64MiB", cpus: 1}
}
`

// A filter that only names other lines of its profile is not given to libvirt, which would
// take all of it out of the kernel and put it there again; one that lets other packets
// pass is.
func TestAFilterThatMeansTheSameStays(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	up(t, r, compileText(t, filteredProfile))
	begun := filterOf(t)
	lower := strings.NewReplacer("cpus: 1", "cpus: 2", "network: {", "\n\n\nnetwork: {")
	changed, err := r.Up(t.Context(), compileText(t, lower.Replace(filteredProfile)))
	if err != nil || changed.Restarted || changed.Unchanged() {
		t.Fatalf("up with another number of processors does %+v: %v", changed, err)
	}
	if now := filterOf(t); now != begun {
		t.Errorf("libvirt was given the filter\n%s\nfor\n%s", now, begun)
	}
	if _, err := r.Up(t.Context(), compileText(t, strings.Replace(lower.Replace(filteredProfile), "[80]", "[8080]", 1))); err != nil {
		t.Fatal(err)
	}
	if now := filterOf(t); !strings.Contains(now, "8080") {
		t.Errorf("with another rule, the filter is\n%s", now)
	}
}

func filterOf(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("virsh", "-q", "-c", "lxc:///system", "nwfilter-dumpxml", "sbx-filtered").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}
