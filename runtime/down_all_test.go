package runtime_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/plan"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// DownAll takes down what runs, what sbx run runs just now, and what is left of
// sandboxes whose domain somebody has removed: files, or a filter alone, as after a crash;
// also a network that nobody is on. No other test may run meanwhile.
func TestDownAll(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	before := defined(t)
	up(t, r, compileText(t, refusedHead+"}\n"))
	up(t, r, tamperedBundle(t, "bereft"))
	tamper(t, "virsh destroy bereft; virsh undefine bereft")
	up(t, r, compileText(t, strings.ReplaceAll(refusedHead, `"foreign" | *"refused"`, `"dust"`)+dustNetwork+"}\n"))
	tamper(t, "virsh destroy dust; virsh undefine dust; rm -r /var/lib/sbx/dust")
	ended := runForever(t, "fleeting")
	drift, err := r.Drift(nil)
	if err != nil || !slices.ContainsFunc(drift, func(c plan.Change) bool {
		return c.Sandbox == "dust" && strings.Contains(c.Live, "sbx-dust") && c.Since != ""
	}) {
		t.Errorf("drift does not tell of the filter: %+v, %v", drift, err)
	}

	downAll(t, r, "bereft", "dust", "fleeting", "refused")
	<-ended
	tamper(t, fmt.Sprintf("echo '<network><name>empty</name><uuid>%s</uuid></network>' >n.xml; virsh net-define n.xml", compiler.UUID("network", "empty")))
	downAll(t, r, "network empty")
	const claims = "/var/lib/sbx/.run\n" // the folder stays, empty
	if after := defined(t); strings.ReplaceAll(after, claims, "") != strings.ReplaceAll(before, claims, "") {
		t.Errorf("something is left:\n%s\nbefore:\n%s", after, before)
	}
}

// downAll takes down what there is, which is to be that.
func downAll(t *testing.T, r *runtime.Runtime, want ...string) {
	t.Helper()
	var gone []string
	err := r.DownAll(t.Context(), func(name string, err error) {
		gone = append(gone, name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	slices.Sort(gone)
	if err != nil || !slices.Equal(gone, want) {
		t.Errorf("%q are down (%v), not %q", gone, err, want)
	}
}

// dustNetwork is a network of a sandbox's own, with a filter.
const dustNetwork = `network: {
	attach: "dust"
	create: {mode: "isolated", address: ["10.90.0.1/24"]}
	address: ["10.90.0.2/24"]
	allow: [{in: tcp: [80]}]
}
`

// runForever runs a command as sbx run does, until its sandbox goes, and returns as
// soon as the command has begun.
func runForever(t *testing.T, name string) (ended <-chan struct{}) {
	t.Helper()
	profiles, err := new(load.Config).Load("testdata/plain.cue")
	if err != nil {
		t.Fatal(err)
	}
	profiles[0].Name, profiles[0].Backend = name, schema.LXC
	b, err := compiler.Compile(profiles[0], compiler.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	r := newRuntime(t)
	out, in := io.Pipe()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, err := r.Run(t.Context(), b, channel.Command{Argv: []string{"/usr/bin/sh", "-c", "echo begun; exec sleep 100000"}}, channel.Stdio{Stdout: in})
		in.CloseWithError(err)
	}()
	if _, err := out.Read(make([]byte, 100)); err != nil {
		t.Fatalf("the command did not begin: %v", err)
	}
	return gone
}
