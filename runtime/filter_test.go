package runtime_test

import (
	"os"
	"os/exec"
	"path/filepath"
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

// Of a sandbox whose filters stay as they are, the kernel's rules are read once: for each
// reading three programs are started.
func TestRulesAreReadOnce(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	up(t, r, compileText(t, filteredProfile))
	read := countStarts(t, "ebtables")
	for _, step := range []struct {
		what, profile string
		want          int
	}{
		{"nothing changed", filteredProfile, 1},
		{"another number of processors", strings.Replace(filteredProfile, "cpus: 1", "cpus: 2", 1), 1},
		{"and another rule", strings.NewReplacer("cpus: 1", "cpus: 2", "[80]", "[8080]").Replace(filteredProfile), 2},
	} {
		before := read()
		if changed, err := r.Up(t.Context(), compileText(t, step.profile)); err != nil || changed.Restarted {
			t.Fatalf("%s: up does %+v: %v", step.what, changed, err)
		}
		if got := read() - before; got != step.want {
			t.Errorf("%s: the rules of ebtables are read %d times, want %d", step.what, got, step.want)
		}
	}
}

// countStarts counts how often this process starts a program from here on: libvirt's
// own starts are not among them.
func countStarts(t *testing.T, name string) func() int {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "starts")
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho >>\"$STARTS\"\nexec \"$STARTED\" \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STARTS", log)
	t.Setenv("STARTED", program)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return func() int {
		text, err := os.ReadFile(log)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return len(text)
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
