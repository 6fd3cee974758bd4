package runtime

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/randomprofile"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/plan"
	"github.com/sbx-dev/sbx/schema"
)

// What Up leaves behind is what its bundle says, so that a second Up has nothing
// to do: for profiles of all kinds, with all that libvirt makes of their documents
// and gives back. To start each would take an hour, so here all is done but that;
// TestUpTwice starts some.
func TestWhatUpLeavesIsWhatItWants(t *testing.T) {
	testhost.Need(t)
	init := filepath.Join(t.TempDir(), "sbx-init")
	build := exec.Command("go", "build", "-o", init, "../initramfs/init")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := New(Options{Init: init, Accel: AccelTCG, Log: func(string) {}})
	t.Cleanup(r.Close)
	m := &randomprofile.Maker{Rand: rand.New(rand.NewPCG(25, 25)), Bridge: "br0"}
	for n := range 200 {
		p := m.Profile(fmt.Sprintf("settles%d", n))
		p.Devices = slices.DeleteFunc(p.Devices, isMissing)
		if err := settles(t, r, p); err != nil {
			t.Errorf("%s: %v\n%+v", p.Name, err, p)
		}
	}
}

// isMissing says whether this host has no such device: a host without a graphics card has
// none of /dev/dri.
func isMissing(device string) bool {
	_, err := os.Stat(device)
	return os.IsNotExist(err)
}

// settles makes everything of a sandbox but the start, and looks what a second Up
// would change. It does not run, and that should be all.
func settles(t *testing.T, r *Runtime, p *schema.Profile) error {
	u, err := compiledUp(r, p)
	if err != nil {
		return err
	}
	defer func() {
		if err := r.remove(u.conn, u.s); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}()
	if err := u.compare(); err != nil {
		return err
	}
	if err := u.define(t.Context()); err != nil {
		return err
	}
	if err := u.network(context.Background()); err != nil {
		return err
	}
	if err := prepareWithoutBoot(r, u.s); err != nil {
		return err
	}
	if err := note(u); err != nil {
		return err
	}
	again, err := compiledUp(r, p)
	if err != nil {
		return err
	}
	if again.s.Digest != u.s.Digest {
		t.Errorf("%s: another bundle each time", p.Name)
	}
	if err := again.compare(); err != nil {
		return err
	}
	for _, c := range again.result.Changes {
		if c.Object != observe.StateObject {
			t.Errorf("%s: a second up would change %s %s: %s", p.Name, c.Object, c.Field, plan.Difference{Live: c.Live, Desired: c.Desired})
		}
	}
	return nil
}

// note writes down what there is, as settle does of a sandbox that runs.
func note(u *up) error {
	observer := observe.New(u.r.state())
	now, err := observer.Observe(u.conn, u.s.Name, u.s.Backend, u.s.Metadata)
	if err != nil {
		return err
	}
	return u.record(now, libvirt.DOMAIN_AFFECT_CONFIG)
}

func compiledUp(r *Runtime, p *schema.Profile) (*up, error) {
	b, err := compiler.Compile(p, compiler.Options{})
	if err != nil {
		return nil, err
	}
	s, err := r.bind(b)
	if err != nil {
		return nil, err
	}
	conn, err := r.drivers.Connect(s.Backend)
	if err != nil {
		return nil, err
	}
	return newUp(r, conn, s, nil), nil
}

// prepareWithoutBoot is a backend's prepare, less a machine's kernel and initrd,
// which nothing compares.
func prepareWithoutBoot(r *Runtime, s *bound.Sandbox) error {
	if s.Backend == schema.KVM {
		manifest, err := s.Manifest.Encode()
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(s.Dir, state.Boot), 0o711); err != nil {
			return err
		}
		return hostfile.WriteAtomic(known.Of(s.Backend).ManifestFile(s.Dir), manifest, 0o600)
	}
	backend, err := r.backend(s.Backend)
	if err != nil {
		return err
	}
	return backend.Prepare(context.Background(), s)
}
