package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/forward"
	"github.com/sbx-dev/sbx/internal/spans"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/guard"
	"github.com/sbx-dev/sbx/runtime/internal/ids"
	"github.com/sbx-dev/sbx/runtime/internal/jobs"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/runtime/internal/kernelrules"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/locks"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/internal/publish"
	"github.com/sbx-dev/sbx/runtime/internal/startfail"
	"github.com/sbx-dev/sbx/runtime/internal/starting"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/runtime/plan"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// UpOption changes what Up does.
type UpOption int

// KeepFailed has Up leave a new sandbox that fails to start as it leaves one that
// was to be started anew: defined and stopped, with its log.
const KeepFailed UpOption = 1

// asJob has Up start a job now, which it else prepares for its timer.
const asJob UpOption = 2

// Up makes the bundle's sandbox run, and waits until it is ready. What is as the
// bundle says is left alone, what can change while the sandbox runs changes, and
// only where that cannot be the sandbox is started anew. When a step fails, a
// sandbox that was not there before is removed again; one that was to be started
// anew stays defined, and stopped. A sandbox that was started, and whose command
// does not run then, is a *StartFailure.
func (r *Runtime) Up(ctx context.Context, b *compiler.Bundle, options ...UpOption) (*UpResult, error) {
	return r.up(ctx, b, nil, options)
}

// up is Up. It refuses a sandbox whose fingerprints are not those expected;
// where those are nil, any will do.
func (r *Runtime) up(ctx context.Context, b *compiler.Bundle, expect map[string]string, options []UpOption) (*UpResult, error) {
	if !r.drivers.Local() {
		return nil, fault.New(diag.Elsewhere, "%s: %s is another machine's libvirt, and a sandbox is made of files of the machine that it runs on: run sbx up there", b.Index.Name, r.options.URI)
	}
	endConnect := spans.Begin(ctx, "connect")
	conn, err := r.drivers.Connect(schema.Backend(b.Index.Backend))
	endConnect()
	if err != nil {
		return nil, err
	}
	s, err := r.bind(b)
	if err != nil {
		return nil, err
	}
	if s.Job = slices.Contains(options, asJob); s.Rests() {
		if err := jobs.Check(s.Name); err != nil {
			return nil, err
		}
	}
	if err := confinement.Bind(s, conn, r.host.Embed); err != nil {
		return nil, err
	}
	if len(s.Metadata.Filters) > 0 {
		if err := virt.CheckNetworks(conn); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	unlock, err := r.locks.Lock(ctx, s.Name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if s.Job {
		if err := jobs.Still(s.Dir, b); err != nil {
			return nil, err
		}
	}
	u := newUp(r, conn, s, expect)
	u.bundle = b
	err = u.apply(ctx)
	if err != nil && u.endedMeanwhile(ctx) {
		u = newUp(r, conn, s, expect)
		u.bundle = b
		err = u.apply(ctx)
	}
	if err != nil {
		return nil, u.undo(u.explain(ctx, err), slices.Contains(options, KeepFailed))
	}
	return u.result, nil
}

// up is one Up under way.
type up struct {
	r      *Runtime
	conn   *libvirt.Connect
	s      *bound.Sandbox
	bundle *compiler.Bundle // nil: what is kept of the sandbox
	result *UpResult
	have   *observe.Observed
	looks  *observe.Observer  // has looked at the kernel's rules and the files, which hold until this Up changes them
	ports  *forward.Listeners // of the host's published ports
	expect map[string]string  // the fingerprints that have must have; nil: any

	defined bool // the domain was defined by us, so that there is something to undo
	kept    bool // there is no bundle: networks, filters and names stay as they are
	begun   bool // the domain was started by us

	logged time.Time // when something was logged of it last, before that
}

func newUp(r *Runtime, conn *libvirt.Connect, s *bound.Sandbox, expect map[string]string) *up {
	return &up{r: r, conn: conn, s: s, expect: expect, result: &UpResult{Name: s.Name, Addresses: s.Metadata.Addresses()}}
}

func (u *up) apply(ctx context.Context) error {
	endPlan := spans.Begin(ctx, "plan")
	err := u.compare()
	endPlan()
	if err != nil {
		return err
	}
	if u.renews() {
		u.tellMissingWalls()
		// Before anything is changed: what runs is to run on where these are missing.
		if err := errors.Join(u.s.ReadSecrets(ctx), u.s.OpenHost()); err != nil {
			return fmt.Errorf("%s: %w", u.s.Name, err)
		}
		defer u.s.CloseHost()
	}
	if !u.result.Unchanged() {
		if err := u.listen(); err != nil {
			return fmt.Errorf("%s: %w", u.s.Name, err)
		}
		defer u.ports.Close()
		if err := u.define(ctx); err != nil {
			return err
		}
	}
	dom, err := virt.Lookup(u.conn, u.s.Name)
	if dom == nil || err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	defer dom.Free()
	switch {
	case u.renews():
		err = u.renew(ctx, dom)
	case !u.result.Unchanged():
		err = u.adjust(ctx, dom)
	}
	if err != nil {
		return err
	}
	if u.s.Rests() {
		return u.rest(ctx)
	}
	if err := u.checkFilters(); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	if limit := known.Of(u.s.Backend).Limit; limit != nil && !u.renews() { // or an earlier Up was killed before it came to it
		if err := limit(u.s, dom); err != nil {
			return fmt.Errorf("%s: %w", u.s.Name, err)
		}
	}
	if err := u.wait(ctx); err != nil {
		return err
	}
	defer spans.Begin(ctx, "keeper")()
	if err := u.beside(ctx); err != nil {
		return err
	}
	if !u.result.Unchanged() {
		if err := publish.Start(u.r.options.Forwarder, u.s, u.conn, u.ports); err != nil {
			return fmt.Errorf("%s: %w", u.s.Name, err)
		}
	}
	return u.settle(ctx)
}

// beside starts the processes that watch what runs.
func (u *up) beside(ctx context.Context) error {
	kept := keep.Start(ctx, u.r.options.Keeper, u.s.Dir, u.s.Name, u.s.Metadata.Filters)
	if err := errors.Join(kept, guard.Of(u.r.state()).Ensure(ctx, u.r.options.Guard, u.s.Walls)); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	return nil
}

// tellMissingWalls says which walls are missing here that the profile would have. It says
// each once, however many sandboxes lack it, because it is the host that does.
func (u *up) tellMissingWalls() {
	if !u.s.Job && u.s.MAC == schema.MACPreferred && !confinement.Confines(u.s) {
		u.r.tellOnce(fmt.Sprintf("neither AppArmor nor SELinux confines sandboxes of backend %q here: one wall less (sbx doctor)", u.s.Backend))
	}
	if u.s.FilterAlone != nil {
		u.r.tellOnce(fmt.Sprintf("libvirt's filter enforces rules alone, without an inner wall: %v", u.s.FilterAlone))
	}
}

// noticeLimit is how long libvirt may take to see that a sandbox has ended.
const noticeLimit = 5 * time.Second

// endedMeanwhile says whether the sandbox ran as it should when it was looked at,
// and has ended since. libvirt takes a moment to see that.
func (u *up) endedMeanwhile(ctx context.Context) bool {
	if u.have == nil || !u.have.Active || u.renews() {
		return false
	}
	return u.hasEnded(ctx, noticeLimit)
}

// hasEnded says whether the sandbox has ended, or does so within some time. One whose
// process is gone, which libvirt does not see, is ended for libvirt, too.
func (u *up) hasEnded(ctx context.Context, within time.Duration) bool {
	dom, err := virt.Lookup(u.conn, u.s.Name)
	if dom == nil || err != nil {
		return err == nil
	}
	defer dom.Free()
	end := u.r.processEnd(dom, u.s.Name, u.s.Backend)
	defer end.Close()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := virt.AwaitStop(ctx, dom, end); err == nil && ctx.Err() == nil && end.Came() {
		return virt.Stop(dom) == nil
	}
	active, err := virt.IsActive(dom)
	return !active && err == nil
}

// Compare notes what has to change.
func (u *up) compare() error {
	var err error
	if err := u.r.drivers.CheckKind(u.s.Name, u.s.Backend); err != nil {
		return err
	}
	u.looksAnew()
	if u.have, err = u.looks.Observe(u.conn, u.s.Name, u.s.Backend, u.s.Metadata); err != nil {
		return err
	}
	if err := u.refuseMoved(); err != nil {
		return err
	}
	if u.result.Changes, err = observe.Compare(u.s, u.have); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	u.result.Created = plan.Needs(u.result.Changes, plan.Create)
	u.result.Restarted = plan.Needs(u.result.Changes, plan.Restart)
	if u.expect != nil && u.s.Rests() && u.have.Active && u.renews() { // which no plan has told
		return fault.New(diag.Busy, "%s: a run of it is under way, which the plan would end: apply it afterwards, or end the run first: sbx stop %[1]s", u.s.Name)
	}
	return nil
}

// looksAnew has the kernel's rules and the files read anew when they are next looked at.
func (u *up) looksAnew() { u.looks = observe.New(u.r.state()) }

// checkFilters refuses a sandbox whose filters are not in force. Where it has just
// been started, it says whether they hold in part only.
func (u *up) checkFilters() error {
	if u.renews() {
		return u.s.CheckFilters(u.conn)
	}
	return virt.CheckBindings(u.conn, u.s.Domain)
}

// listen takes the sandbox's ports on the host.
func (u *up) listen() (err error) {
	u.ports, err = publish.Listen(u.r.options.Forwarder, u.s)
	return err
}

// renews says whether the sandbox has to be started.
func (u *up) renews() bool { return u.result.Created || u.result.Restarted }

// define claims the name and the host ids, by defining the domain. From here on
// Down finds everything.
func (u *up) define(ctx context.Context) error {
	defer spans.Begin(ctx, "define")()
	if u.keepsDomain() {
		return u.noteInterim()
	}
	unlock, err := u.r.locks.Lock(ctx, locks.All)
	if err != nil {
		return err
	}
	defer unlock()
	if err := errors.Join(ids.Check(u.conn, u.s.Domain), u.r.checkAddresses(u.s)); err != nil {
		return err
	}
	notes, err := u.interimNotes()
	if err != nil {
		return err
	}
	if err := confinement.Offer(u.s); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	u.s.Domain.Metadata.XML = notes
	text, err := u.s.Domain.Marshal()
	if err != nil {
		return err
	}
	dom, err := u.conn.DomainDefineXMLFlags(text, libvirt.DOMAIN_DEFINE_VALIDATE)
	if err != nil && u.result.Created {
		err = errors.Join(err, confinement.Unload(u.s.Name))
	}
	if err != nil {
		return fault.New(diag.Start, "%s: cannot define the domain: %w", u.s.Name, known.Of(u.s.Backend).Explain(u.s, virt.Plain(err)))
	}
	defer dom.Free()
	u.defined = true
	if !u.have.Active {
		return nil
	}
	return virt.SetNotes(dom, notes, libvirt.DOMAIN_AFFECT_LIVE)
}

// wait returns when the sandbox can be used: its service says so, and packets
// reach it.
func (u *up) wait(ctx context.Context) error {
	if err := virt.WaitForBridge(ctx, u.s.Domain); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	endBoot := spans.Begin(ctx, "boot")
	client, err := u.r.dial(ctx, u.s.Backend, u.s.Dir)
	endBoot()
	if err != nil && ctx.Err() == nil {
		return &startfail.StartFailure{Name: u.s.Name, Way: startfail.Lost, Argv: u.s.Manifest.Run.Argv, Err: err}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	defer client.Close()
	defer spans.Begin(ctx, "ready")()
	if err := u.s.SendSecrets(ctx, client); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	if u.s.Job { // which may end at once: how it does is asked of its keeper
		return nil
	}
	start := starting.Start{Limit: u.r.options.AnswerLimit, Conn: u.conn, Name: u.s.Name, Kind: u.s.Backend, Run: &u.s.Manifest.Run}
	if !u.renews() {
		start.Kills = start.MemoryKills()
	}
	if err := start.Wait(ctx, client); err != nil {
		return err
	}
	if err := kernelrules.WaitForLeases(ctx, u.r.options.AnswerLimit, u.s.Domain, client); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	u.result.Leases = virt.NewLeases(virt.Leased(u.conn, u.s.Domain), start.Last.Leases)
	u.result.Restarts = start.Last.Restarts
	return nil
}
