package runtime

import (
	"context"
	"fmt"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/kept"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/internal/publish"
	"github.com/sbx-dev/sbx/schema"
)

// restartAnew starts the whole sandbox anew, as it is defined and as its files say,
// so that it gets what stands at its host paths now.
func (r *Runtime) restartAnew(ctx context.Context, conn *libvirt.Connect, dom *libvirt.Domain, name string, kind schema.Backend) error {
	unlock, err := r.locks.Lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := kept.Read(dom, name, kind, r.state().Path(name), r.manifestOf(name, kind), r.options.Log)
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
	if err := u.beside(ctx); err != nil {
		return err
	}
	if err := publish.Start(u.r.options.Forwarder, u.s, u.conn, u.ports); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	return u.settle(ctx)
}
