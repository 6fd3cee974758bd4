package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/jobs"
	"github.com/sbx-dev/sbx/runtime/internal/locks"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/runtime/plan"
)

// adjust makes the changes that need no start. The domain is defined already.
func (u *up) adjust(ctx context.Context, dom *libvirt.Domain) error {
	if err := u.network(ctx); err != nil {
		return err
	}
	if slices.Contains(plan.Objects(u.result.Changes), observe.ProfileObject) {
		if err := confinement.Load(u.s); err != nil {
			return fmt.Errorf("%s: %w", u.s.Name, err)
		}
	}
	for _, part := range u.liveParts() {
		if err := virt.Tune(dom, part, u.s.Domain); err != nil {
			return fmt.Errorf("%s: cannot change %s in what runs: %w", u.s.Name, part, virt.Plain(err))
		}
	}
	return nil
}

// liveParts are the elements of the running domain that have to change.
func (u *up) liveParts() []string {
	var parts []string
	for _, c := range u.result.Changes {
		if part, _, _ := strings.Cut(c.Field, " "); c.Object == observe.DomainObject && c.Effect == plan.Live {
			parts = append(parts, part)
		}
	}
	return slices.Compact(parts) // the changes are sorted by field
}

// rulesMoved says whether the kernel's rules are not those of the filter although
// that is the same: libvirt does not see that by itself.
func (u *up) rulesMoved(filter string) bool {
	moved := func(prefix string) func(plan.Change) bool {
		return func(c plan.Change) bool { return strings.HasPrefix(c.Object, prefix) }
	}
	return slices.ContainsFunc(u.result.Changes, moved(observe.RulesObject(""))) &&
		!slices.ContainsFunc(u.result.Changes, moved(observe.FilterObject(filter)))
}

// keepsFilter says whether libvirt need not be given the filter, of a sandbox that runs on:
// it has it, and the kernel has its rules. What only names other lines of the profile is no
// other filter; libvirt would make all rules anew for it, one program after the other.
func (u *up) keepsFilter(filter string) bool {
	return u.have != nil && u.have.Active && !u.renews() && !u.rulesMoved(filter) &&
		!slices.ContainsFunc(u.result.Changes, func(c plan.Change) bool { return c.Object == observe.FilterObject(filter) })
}

// keepsDomain says whether nothing changes but walls around what runs. Then the domain is
// defined as it is to be, and has its name, its ids and its addresses already; libvirt
// takes longer to check a definition than the kernel takes for a wall.
func (u *up) keepsDomain() bool { return u.have.Active && u.changesOnly(observe.IsWall) }

// changesOnly says whether all that changes is of one kind, and changes while it runs.
func (u *up) changesOnly(is func(object string) bool) bool {
	return !slices.ContainsFunc(u.result.Changes, func(c plan.Change) bool { return c.Effect != plan.Live || !is(c.Object) })
}

// noteInterim notes with what runs, and with its definition, that it is being changed.
func (u *up) noteInterim() error {
	notes, err := u.interimNotes()
	if err != nil {
		return err
	}
	if err := u.note(notes, libvirt.DOMAIN_AFFECT_LIVE|libvirt.DOMAIN_AFFECT_CONFIG); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	u.have.Metadata.Applied = nil // as it stands there now
	return nil
}

// networkRestarts says whether a network has to be started anew.
func (u *up) networkRestarts() bool {
	return slices.ContainsFunc(u.result.Changes, func(c plan.Change) bool {
		return strings.HasPrefix(c.Object, observe.NetworkObject("")) && c.Effect == plan.Restart
	})
}

// refuseMoved refuses a sandbox that is not as it is expected to be.
func (u *up) refuseMoved() error {
	if u.expect == nil {
		return nil
	}
	now, err := u.have.Standing()
	if err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	if moved := plan.Moved(u.expect, now); len(moved) > 0 {
		return fmt.Errorf("%s: changed since the plan was made: %s", u.s.Name, strings.Join(moved, ", "))
	}
	return nil
}

// interimNotes are the metadata of a sandbox that is being changed. They name
// what it had and what it is to have, so that whatever interrupts the change,
// Down finds all of it.
func (u *up) interimNotes() (string, error) {
	notes := *u.s.Metadata
	notes.Sources = u.sources()
	if had := u.have.Metadata; had != nil {
		notes.Filters = slices.Concat(notes.Filters, observe.Gone(had.Filters, notes.Filters))
		notes.Every = cmp.Or(notes.Every, had.Every) // its timer
		notes.Networks = slices.Concat(notes.Networks, observe.Gone(had.Networks, notes.Networks))
	}
	return notes.Encode()
}

// settle removes what the sandbox no longer has, and notes how all is now.
func (u *up) settle(ctx context.Context) error {
	now := u.have
	if !u.result.Unchanged() {
		if err := u.release(ctx); err != nil {
			return err
		}
		var err error
		if u.keepsDomain() && u.changesOnly(observe.IsInnerWall) {
			err = now.LookAtWalls()
		} else {
			now, err = u.looks.Observe(u.conn, u.s.Name, u.s.Backend, u.s.Metadata)
		}
		if err != nil {
			return err
		}
	}
	where := libvirt.DOMAIN_AFFECT_LIVE | libvirt.DOMAIN_AFFECT_CONFIG
	if !now.Active { // a job, between its runs
		where = libvirt.DOMAIN_AFFECT_CONFIG
	}
	err := u.record(now, where)
	if u.s.Metadata.Every != "" && virt.ErrorCode(err) == libvirt.ERR_OPERATION_INVALID { // its run has ended meanwhile
		err = u.record(now, libvirt.DOMAIN_AFFECT_CONFIG)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	return nil
}

// release removes the filters and networks that the sandbox had before.
func (u *up) release(ctx context.Context) error {
	had := u.have.Metadata
	if had == nil {
		return nil
	}
	if had.Every != "" && u.s.Metadata.Every == "" {
		if err := errors.Join(jobs.Remove(u.s.Name), jobs.Forget(u.s.Dir)); err != nil {
			return fmt.Errorf("%s: %w", u.s.Name, err)
		}
	}
	unlock, err := u.r.locks.Lock(ctx, locks.All)
	if err != nil {
		return err
	}
	defer unlock()
	for _, name := range observe.Gone(had.Filters, u.s.Metadata.Filters) {
		u.looksAnew()
		if err := bound.RemoveFilter(ctx, u.conn, name, true, u.r.state()); err != nil {
			return fmt.Errorf("%s: %w", u.s.Name, err)
		}
	}
	for _, name := range observe.Gone(had.Networks, u.s.Metadata.Networks) {
		if err := virt.ReleaseNetwork(u.conn, u.r.drivers.EachDriver, name, u.s.Name, true); err != nil {
			return fmt.Errorf("%s: %w", u.s.Name, err)
		}
	}
	return nil
}

// record writes into the domain's metadata what sbx has applied, unless that
// stands there already.
func (u *up) record(now *observe.Observed, where libvirt.DomainModificationImpact) error {
	objects, err := now.Fingerprints()
	if err != nil {
		return err
	}
	if now.Metadata != nil && now.Metadata.Bundle == u.s.Digest && len(plan.Moved(observe.Noted(now.Metadata), objects)) == 0 {
		return nil
	}
	notes := *u.s.Metadata
	notes.Sources, notes.Applied = u.sources(), observe.NewApplied(objects)
	text, err := notes.Encode()
	if err != nil {
		return err
	}
	return u.note(text, where)
}

// note writes the domain's metadata, of a domain that may have gone meanwhile.
func (u *up) note(text string, where libvirt.DomainModificationImpact) error {
	dom, err := virt.Lookup(u.conn, u.s.Name)
	if dom == nil || err != nil {
		return err
	}
	defer dom.Free()
	return virt.SetNotes(dom, text, where)
}

// sources are to be noted of the sandbox: what it was started with, by this Up or by
// an earlier one.
func (u *up) sources() []compiler.SourceMetadata {
	if u.renews() || u.have.Metadata == nil {
		return u.s.Metadata.Sources
	}
	return u.have.Metadata.Sources
}
