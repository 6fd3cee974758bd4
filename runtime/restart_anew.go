package runtime

import (
	"context"
	"fmt"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/internal/publish"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
)

// moved are the host paths at which something else stands by now than what the
// sandbox was started with.
func moved(m *compiler.Metadata) (paths []string) {
	for _, s := range m.Sources {
		if bound.Identify(s) != s.ID {
			paths = append(paths, s.Path)
		}
	}
	return paths
}

// restartAnew starts the whole sandbox anew, as it is defined and as its files say,
// so that it gets what stands at its host paths now.
func (r *Runtime) restartAnew(ctx context.Context, conn *libvirt.Connect, dom *libvirt.Domain, name string, kind schema.Backend) error {
	unlock, err := r.locks.Lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := r.kept(dom, name, kind)
	if err != nil {
		return err
	}
	u := newUp(r, conn, s, nil)
	observer := observe.New(r.state())
	if u.have, err = observer.Observe(conn, name, kind, s.Metadata); err != nil {
		return err
	}
	if u.have.WallsMoved() {
		return fmt.Errorf("%s: its inner wall is not as sbx loaded it, and what it is to be stands in its profile alone: sbx up %[1]s", name)
	}
	u.result.Restarted = true
	if err := s.OpenHost(); err != nil { // before anything is stopped
		return fmt.Errorf("%s: %w", name, err)
	}
	defer s.CloseHost()
	u.kept, u.defined = true, true
	if err := u.startKept(ctx, dom); err != nil {
		return u.undo(u.explain(ctx, err), false)
	}
	return nil
}

func (u *up) startKept(ctx context.Context, dom *libvirt.Domain) error {
	if err := u.listen(); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	defer u.ports.Close()
	if err := u.renew(ctx, dom); err != nil {
		return err
	}
	if err := u.wait(ctx); err != nil {
		return err
	}
	if err := keep.Start(ctx, u.r.options.Keeper, u.s.Dir, u.s.Name); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	if err := publish.Start(u.r.options.Forwarder, u.s, u.conn, u.ports); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	return u.settle(ctx)
}

// kept is a sandbox as far as it can be told without its bundle, which alone says
// where secrets are found.
func (r *Runtime) kept(dom *libvirt.Domain, name string, kind schema.Backend) (*bound.Sandbox, error) {
	s := &bound.Sandbox{Name: name, Backend: kind, Dir: r.state().Path(name), Manifest: r.manifestOf(name, kind), Log: r.options.Log}
	var err error
	if s.Metadata, err = virt.Metadata(dom); s.Metadata == nil || err != nil {
		return nil, lostMeanwhile(name, err)
	}
	if s.Domain, err = virt.Describe(dom, libvirt.DOMAIN_XML_INACTIVE); err != nil {
		return nil, lostMeanwhile(name, err)
	}
	if s.Manifest == nil || len(s.Manifest.Secrets) > 0 {
		return nil, fmt.Errorf("%s: something else stands by now at %s, which takes a start of the whole sandbox, and that its profile: sbx up %s", name, strings.Join(moved(s.Metadata), ", "), name)
	}
	if confinement.Is(s.Domain, name) {
		if s.Confinement, err = confinement.Kept(s.Dir); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	s.Digest = s.Metadata.Bundle
	for _, l := range s.Domain.SecLabel {
		if l.Model == "dac" {
			if _, err := fmt.Sscanf(l.Label, "+%d:+%d", &s.QEMU.UID, &s.QEMU.GID); err != nil {
				return nil, fmt.Errorf("%s: the domain's label %q: %w", name, l.Label, err)
			}
		}
	}
	return s, nil
}
