package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/schema"
)

// UpResult says what Up did.
type UpResult struct {
	Name      string
	Addresses []string // where the sandbox is reached; none for one without a network
	Created   bool     // it was not there before
	Restarted bool     // it ran, or was defined, by another bundle
	Adjusted  []string // filters and networks that Up had to put right
}

// Unchanged says whether all was as it should be already.
func (u *UpResult) Unchanged() bool {
	return !u.Created && !u.Restarted && len(u.Adjusted) == 0
}

// Up makes the bundle's sandbox run, and waits until it is ready. A sandbox that
// runs by the same bundle is left as it is; one that runs by another is started
// anew. When a step fails, a sandbox that was not there before is removed again;
// one that was stays defined, and stopped.
func (r *Runtime) Up(ctx context.Context, b *compiler.Bundle) (*UpResult, error) {
	s, err := r.bind(b)
	if err != nil {
		return nil, err
	}
	if !r.local() {
		return nil, fmt.Errorf("%s: %s is another machine's libvirt, and a sandbox is made of files of the machine that it runs on: run sbx up there", s.name, r.options.URI)
	}
	unlock, err := r.lock(ctx, s.name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	conn, err := r.connect(s.backend)
	if err != nil {
		return nil, err
	}
	u := up{r: r, conn: conn, s: s, result: &UpResult{Name: s.name, Addresses: s.metadata.Address}}
	if err := u.apply(ctx); err != nil {
		return nil, u.undo(err)
	}
	return u.result, nil
}

// up is one Up under way.
type up struct {
	r      *Runtime
	conn   *libvirt.Connect
	s      *sandbox
	result *UpResult
	ours   bool // the domain is defined by us, so that there is something to undo
}

func (u *up) apply(ctx context.Context) error {
	backend, err := u.r.backend(u.s.backend)
	if err != nil {
		return err
	}
	running, err := u.isRunning()
	if err != nil {
		return err
	}
	if !running {
		if err := u.s.readSecrets(ctx); err != nil { // before anything is changed
			return fmt.Errorf("%s: %w", u.s.name, err)
		}
		if err := u.define(ctx); err != nil {
			return err
		}
	}
	if err := u.network(); err != nil {
		return err
	}
	dom, err := lookup(u.conn, u.s.name)
	if dom == nil || err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	defer dom.Free()
	if !running {
		if err := u.stopOlder(ctx, dom); err != nil {
			return fmt.Errorf("%s: cannot stop the older one: %w", u.s.name, err)
		}
		if err := u.check(); err != nil {
			return fmt.Errorf("%s: %w", u.s.name, err)
		}
		if err := backend.prepare(u.s); err != nil {
			return fmt.Errorf("%s: %w", u.s.name, err)
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := backend.start(u.s, dom); err != nil {
			return fmt.Errorf("%s: cannot start: %w", u.s.name, err)
		}
	}
	if err := checkBindings(u.conn, u.s.domain); err != nil {
		return fmt.Errorf("%s: %w", u.s.name, err)
	}
	if running && u.s.backend == schema.LXC { // or an earlier Up was killed before it came to it
		if err := limitPids(dom, u.s.name, u.s.manifest.Run.Pids); err != nil {
			return fmt.Errorf("%s: %w", u.s.name, err)
		}
	}
	return u.wait(ctx)
}

// stopOlder ends what runs by an older bundle, in that one's own way.
func (u *up) stopOlder(ctx context.Context, dom *libvirt.Domain) error {
	if err := u.r.stopGently(ctx, dom, u.s.name); err != nil {
		return err
	}
	return stop(dom)
}

// check refuses interfaces whose filter would not hold, and says so where it
// holds by one of its two halves only.
func (u *up) check() error {
	if err := checkWires(u.conn, u.s.domain); err != nil {
		return err
	}
	if off := statefulOff(); len(off) > 0 && len(u.s.filters) > 0 {
		u.r.options.Log(fmt.Sprintf("%s: %s is not 1 on this host: the firewall holds by its stateless rules alone", u.s.name, strings.Join(off, ", ")))
	}
	return nil
}

// isRunning says whether the sandbox runs by the very bundle, and notes what is
// there otherwise.
func (u *up) isRunning() (bool, error) {
	dom, m, err := lookupOwn(u.conn, u.s.name)
	if err != nil {
		return false, err
	}
	if dom == nil {
		u.result.Created = true
		return false, nil
	}
	defer dom.Free()
	active, err := dom.IsActive()
	if err != nil {
		return false, fmt.Errorf("%s: %w", u.s.name, plain(err))
	}
	if active && m.Bundle == u.s.digest {
		return true, nil
	}
	u.result.Restarted = true
	return false, nil
}

// define claims the name and the host ids, by defining the domain. From here on
// Down finds everything.
func (u *up) define(ctx context.Context) error {
	unlock, err := u.r.lock(ctx, allNames)
	if err != nil {
		return err
	}
	defer unlock()
	if err := checkIDs(u.conn, u.s.domain); err != nil {
		return err
	}
	text, err := u.s.domain.Marshal()
	if err != nil {
		return err
	}
	dom, err := u.conn.DomainDefineXMLFlags(text, libvirt.DOMAIN_DEFINE_VALIDATE)
	if err != nil {
		return fmt.Errorf("%s: cannot define the domain: %w", u.s.name, plain(err))
	}
	u.ours = u.result.Created
	return dom.Free()
}

// network makes the networks, the filters and the sandbox's names be there,
// before anything starts that depends on them.
func (u *up) network() error {
	unlock, err := u.r.lock(context.Background(), allNames)
	if err != nil {
		return err
	}
	defer unlock()
	for i, document := range u.s.networks {
		changed, err := ensureNetwork(u.conn, document)
		if err != nil {
			return fmt.Errorf("%s: %w", u.s.name, err)
		}
		u.note(changed, "network "+u.s.metadata.Networks[i])
	}
	for i, document := range u.s.filters {
		changed, err := ensureFilter(u.conn, document)
		if err != nil {
			return fmt.Errorf("%s: %w", u.s.name, err)
		}
		u.note(changed, "filter "+u.s.metadata.Filters[i])
	}
	changed, err := publishNames(u.conn, u.s)
	if err != nil {
		return fmt.Errorf("%s: %w", u.s.name, err)
	}
	u.note(changed, "names that others find it by")
	return nil
}

func (u *up) note(changed bool, what string) {
	if changed && !u.result.Created && !u.result.Restarted {
		u.result.Adjusted = append(u.result.Adjusted, what)
	}
}

// wait returns when the sandbox can be used: its service says so, and packets
// reach it.
func (u *up) wait(ctx context.Context) error {
	if err := waitForBridge(ctx, u.s.domain); err != nil {
		return fmt.Errorf("%s: %w", u.s.name, err)
	}
	client, err := dial(ctx, u.s.dir)
	if err != nil {
		return fmt.Errorf("%s: %w", u.s.name, err)
	}
	defer client.Close()
	if err := u.s.sendSecrets(ctx, client); err != nil {
		return fmt.Errorf("%s: %w", u.s.name, err)
	}
	if _, err := client.WaitReady(ctx); err != nil {
		return fmt.Errorf("%s: %w", u.s.name, err)
	}
	return nil
}

// undo takes away what a failed Up made, however ctx ended.
func (u *up) undo(cause error) error {
	switch {
	case u.ours:
		if err := u.r.remove(u.conn, u.s.name, u.s.backend, u.s.metadata); err != nil {
			return errors.Join(cause, fmt.Errorf("and it could not be undone: %w: sbx down %s tries again", err, u.s.name))
		}
	case u.result.Restarted:
		dom, _, err := lookupOwn(u.conn, u.s.name)
		if dom == nil || err != nil {
			return errors.Join(cause, err)
		}
		defer dom.Free()
		if err := stop(dom); err != nil {
			return errors.Join(cause, err)
		}
		return fmt.Errorf("%w\n%s is stopped now: mend that and run sbx up again, or sbx down", cause, u.s.name)
	}
	return cause
}

// bridgeLimit is how long a bridge with spanning tree may take to forward: twice
// the least delay that Linux allows, and some more.
const bridgeLimit = 15 * time.Second
