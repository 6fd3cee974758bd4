package runtime

import (
	"fmt"
	"path/filepath"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/forward"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// listen takes the host's ports that are to lead to the sandbox, before anything is
// changed.
func (u *up) listen() (err error) {
	if len(observe.Ports(u.s.Metadata)) > 0 && len(u.r.options.Forwarder) == 0 {
		return fmt.Errorf("%s publishes ports, and this program has no process that passes connections on: set runtime.Options.Forwarder", u.s.Name)
	}
	u.ports, err = forward.Listen(filepath.Join(u.s.Dir, state.Forward), observe.Ports(u.s.Metadata))
	return err
}

// publish makes the host's ports lead to the running sandbox.
func (u *up) publish() error {
	c := forward.Command{
		Argv:   u.r.options.Forwarder,
		Path:   filepath.Join(u.s.Dir, state.Forward),
		Ports:  u.ports,
		UserID: compiler.HelperID(u.s.Name),
	}
	if len(observe.Ports(u.s.Metadata)) > 0 {
		dom, err := u.conn.LookupDomainByName(u.s.Name) // anew: one from before the start has no id
		if err != nil {
			return virt.Plain(err)
		}
		defer dom.Free()
		if c.PID = known.Of(u.s.Backend).Process(dom, u.s.Name); c.PID == 0 {
			return fmt.Errorf("its process on the host cannot be found, with which its published ports would end")
		}
	}
	return forward.Ensure(c)
}

// unpublish gives the host's ports free.
func unpublish(dir string) error {
	return forward.Stop(filepath.Join(dir, state.Forward))
}
