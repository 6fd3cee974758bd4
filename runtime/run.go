package runtime

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/arrivals"
	"github.com/sbx-dev/sbx/internal/spans"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/embed"
	"github.com/sbx-dev/sbx/runtime/internal/ids"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/runtime/internal/kernelrules"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/locks"
	"github.com/sbx-dev/sbx/runtime/internal/proc"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/runtime/internal/watching"
	"github.com/sbx-dev/sbx/schema/diag"
)

// endLimit is how long a sandbox whose command has ended may take to end by itself,
// unless it writes out first what it holds of the host's.
const endLimit = 2 * time.Second

// Run makes the sandbox of a bundle that was compiled as ephemeral, runs the
// command in it and removes it again, however the command ends. libvirt keeps
// nothing of it: it ends with this process, too.
//
// A command that does not start is a *channel.Failure. The end of ctx ends the
// command. From the first machine that runs without libvirtd until Close, this process's
// umask is 0022: libvirt's driver makes folders by it.
func (r *Runtime) Run(ctx context.Context, b *compiler.Bundle, command channel.Command, stdio channel.Stdio) (channel.Exit, error) {
	return r.RunWatched(ctx, b, command, stdio, func(int, []arrivals.NIC) error { return nil })
}

// RunWatched is Run for somebody who looks on: watch is called with watching.Of the
// sandbox when all its walls stand, before its command starts, which waits for it.
func (r *Runtime) RunWatched(ctx context.Context, b *compiler.Bundle, command channel.Command, stdio channel.Stdio, watch func(first int, nics []arrivals.NIC) error) (exit channel.Exit, err error) {
	endPlan := spans.Begin(ctx, "plan")
	defer endPlan()
	s, err := r.bind(b)
	if err != nil {
		return exit, err
	}
	s.Command = command
	if !r.drivers.Local() {
		return exit, fault.New(diag.Elsewhere, "%s: %s is another machine's libvirt, and a sandbox is made of files of the machine that it runs on: run sbx there", s.Name, r.options.URI)
	}
	endConnect := spans.Begin(ctx, "connect")
	conn, err := r.drivers.ConnectEphemeral(s.Backend, r.drivers.ConnectAlone)
	endConnect()
	if err != nil {
		return exit, err
	}
	if r.host.Embed.Is(conn) {
		if err := embed.Check(s.Domain); err != nil {
			return exit, fmt.Errorf("%s: %w", s.Name, err)
		}
	} else {
		// libvirt answers only when it has taken apart what ends with the connection.
		defer func() { go conn.Close() }()
	}
	if err := confinement.Bind(s, conn, r.host.Embed); err != nil {
		return exit, err
	}
	if err := s.ReadSecrets(ctx); err != nil {
		return exit, fmt.Errorf("%s: %w", s.Name, err)
	}
	if err := r.sweep(ctx); err != nil {
		return exit, err
	}
	release, err := r.claim(ctx, s, conn)
	if err != nil {
		return exit, err
	}
	defer release()
	run := ephemeral{r: r, conn: conn, s: s}
	if err := run.checkName(ctx); err != nil {
		return exit, err
	}
	if err := r.checkAddresses(s); err != nil { // before its name server hears of them
		return exit, err
	}
	endPlan()
	defer func() {
		defer spans.Begin(ctx, "tear-down")()
		if end := run.remove(err == nil); end != nil {
			err = errors.Join(err, fmt.Errorf("%s: cannot clean up: %w", s.Name, end))
		}
	}()
	client, hangUp, err := run.start(ctx)
	if err != nil {
		run.failed = ctx.Err() == nil
		return exit, fmt.Errorf("%s: %w", s.Name, err)
	}
	defer hangUp()
	endReady := spans.Begin(ctx, "ready")
	defer endReady()
	if err := s.SendSecrets(ctx, client); err != nil {
		return exit, fmt.Errorf("%s: %w", s.Name, err)
	}
	if err := kernelrules.WaitForLeases(ctx, r.options.AnswerLimit, s.Domain, client); err != nil {
		return exit, fmt.Errorf("%s: %w", s.Name, err)
	}
	if err := watch(watching.Of(s, run.dom)); err != nil {
		return exit, fmt.Errorf("%s: %w", s.Name, err)
	}
	endReady()
	stdio.Ended = func() { leave(run.dom, s.Name, s.Backend) }
	defer spans.Begin(ctx, "command")()
	return client.Run(ctx, command, stdio)
}

// ephemeral is the sandbox of one Run.
type ephemeral struct {
	r    *Runtime
	conn *libvirt.Connect
	s    *bound.Sandbox
	dom  *libvirt.Domain // nil until it has started

	failed bool // to start: libvirt's log may say more of it than the error
}

// checkName refuses a name that another sandbox has, whoever made it. That the claim on it
// is ours says that no sbx run has it; libvirt may be taking the last one's apart yet.
func (e *ephemeral) checkName(ctx context.Context) error {
	if !e.r.host.Embed.Is(e.conn) {
		if err := e.r.drivers.CheckKind(e.s.Name, e.s.Backend); err != nil {
			return err
		}
	}
	dom, err := virt.Lookup(e.conn, e.s.Name)
	if dom == nil || err != nil {
		return err
	}
	defer dom.Free()
	end := e.r.processEnd(dom, e.s.Name, e.s.Backend)
	defer end.Close()
	if gone, err := virt.AwaitGone(ctx, noticeLimit, dom, end); gone || err != nil {
		return err
	}
	return fault.New(diag.NameTaken, "%s: libvirt has a domain of this name already: sbx down %[1]s first if it is a sandbox, or give another name, to sbx run with --name", e.s.Name)
}

// start makes all that the sandbox needs, starts it and connects to its first
// process, until hangUp is called.
func (e *ephemeral) start(ctx context.Context) (client *channel.Client, hangUp func(), err error) {
	backend, err := e.r.backend(e.s.Backend)
	if err != nil {
		return nil, nil, err
	}
	u := up{r: e.r, conn: e.conn, s: e.s, result: new(UpResult)}
	if err := u.network(ctx); err != nil {
		return nil, nil, err
	}
	if err := u.check(); err != nil {
		return nil, nil, err
	}
	endMounts := spans.Begin(ctx, "mounts")
	err = backend.Prepare(ctx, e.s)
	endMounts()
	if err != nil {
		return nil, nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, nil, err
	}
	var shared *net.UnixListener
	if backend.Held() {
		if shared, err = keep.Listen(e.s.Dir); err != nil {
			return nil, nil, err
		}
		defer func() {
			if err != nil {
				shared.Close()
			}
		}()
	}
	endStart := spans.Begin(ctx, "start")
	first, err := e.create(ctx, backend)
	endStart()
	if err != nil {
		if first != nil {
			first.Close()
		}
		return nil, nil, fault.New(diag.Start, "cannot start: %w", err)
	}
	err = e.s.CheckFilters(e.conn)
	if err == nil {
		err = virt.WaitForBridge(ctx, e.s.Domain)
	}
	if err != nil {
		first.Close()
		return nil, nil, err
	}
	defer spans.Begin(ctx, "boot")()
	ctx, cancel := e.r.untilAnswer(ctx)
	defer cancel()
	if !backend.Held() {
		client, err := keep.Dial(ctx, first)
		return client, func() { client.Close() }, err
	}
	return keep.Hold(ctx, e.r.options.Holder, e.s.Dir, shared, first)
}

// create starts the domain, while no other sandbox can take its host ids.
func (e *ephemeral) create(ctx context.Context, backend kinds.Backend) (first net.Conn, err error) {
	unlock, err := e.r.locks.Lock(ctx, locks.All)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := errors.Join(ids.Check(e.conn, e.s.Domain), e.r.checkAddresses(e.s)); err != nil {
		return nil, err
	}
	e.dom, first, err = backend.StartTransient(ctx, e.s, e.conn)
	return first, err
}

// remove takes the sandbox away; ended says that its command has ended, and
// thereby the sandbox. Such a domain is gone some 0.2 seconds later, which
// nobody has to wait for: it is transient, and goes with the connection at the
// latest. A filter can only be removed after it, as can an AppArmor profile and a log
// that libvirt writes its end into, and a machine that writes to the host must have
// written all. By the embedded driver, nobody else ends it.
func (e *ephemeral) remove(ended bool) error {
	if e.dom != nil {
		defer e.dom.Free()
	}
	m, written, over := e.s.Metadata, !known.WritesLate(e.s), false
	if e.dom != nil && written && e.r.drivers.Local() && known.Of(e.s.Backend).Embedded {
		over = e.endAtOnce()
	}
	switch {
	case ended && over && e.r.host.Embed.Is(e.conn) && e.s.Confinement == nil:
		// The driver looks for the end each fifth of a second, and goes with this process: what
		// it keeps of the machine, the next to use its folder removes.
		return errors.Join(e.r.remover().Folder(removalOf(e.s)), e.removeLog())
	case !ended, written && e.r.host.Embed.Is(e.conn):
	case written && len(m.Filters) == 0 && len(m.Networks) == 0 && e.s.Confinement == nil && !known.Of(e.s.Backend).LogsEnd:
		return errors.Join(e.r.remover().Folder(removalOf(e.s)), e.removeLog(), e.removeRuns()) // sbx-init stays for the next one
	default:
		e.awaitEnd()
	}
	return errors.Join(e.r.remove(e.conn, e.s), e.removeLog())
}

// endAtOnce ends a machine that has nothing left to write, and says whether that is over.
// Switching itself off takes it up to a second, and of what libvirt ends it asks each fifth
// of one whether it has.
func (e *ephemeral) endAtOnce() bool {
	embedded := e.r.host.Embed.Is(e.conn)
	pid := known.Of(e.s.Backend).Process(e.dom, e.s.Name)
	if embedded {
		pid = proc.ReadPID(embed.PIDFile(e.r.host.Embed.Dir(), e.s.Name))
	}
	end := proc.WatchEnd(pid)
	defer end.Close()
	switch its := qemu.Runs(pid, e.s.Name); {
	case its && !embedded && e.s.Confinement == nil: // what confines it keeps its sockets from us
		end.KillReaped(pid, endLimit)
	case its:
		end.Kill(endLimit)
	case proc.Ends(pid): // by itself, just now
		end.AwaitFor(endLimit)
	} // else it has ended, and its id may be another's
	return end.Came()
}

// removeLog removes libvirt's log of the sandbox, of which nobody would ever ask: names
// of sbx run differ each time.
func (e *ephemeral) removeLog() error {
	logs := kinds.Logs
	switch {
	case e.r.host.Embed.Is(e.conn):
		logs = embed.Logs(e.r.host.Embed.Dir())
	case e.failed:
		return nil
	}
	return known.Of(e.s.Backend).RemoveLog(logs, e.s.Name)
}

// removeRuns removes what libvirt's process for the sandbox, which ends a few milliseconds
// after the command, leaves in libvirt's folder.
func (e *ephemeral) removeRuns() error {
	if e.dom == nil {
		return nil
	}
	end := e.r.processEnd(e.dom, e.s.Name, e.s.Backend)
	defer end.Close()
	if end.AwaitFor(endLimit); !end.Came() {
		return nil // it has them yet
	}
	return known.Of(e.s.Backend).RemoveRuns(kinds.Runs, e.s.Name)
}

// awaitEnd waits until the domain has ended by itself, which is gentler than
// what remove would do.
func (e *ephemeral) awaitEnd() {
	limit := time.Now().Add(endLimit)
	if known.WritesLate(e.s) {
		limit = time.Now().Add(known.Of(e.s.Backend).StopGrace)
	}
	for pause := time.Millisecond; time.Now().Before(limit); pause = min(2*pause, 20*time.Millisecond) {
		if active, err := e.dom.IsActive(); err != nil || !active {
			return
		}
		time.Sleep(pause)
	}
}
