package runtime

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/kept"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/internal/proc"
	"github.com/sbx-dev/sbx/runtime/internal/startfail"
	"github.com/sbx-dev/sbx/runtime/internal/starting"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Stop stops the sandbox as its profile says it wants to be stopped, and keeps
// all that was made for it. It says whether the sandbox ran.
func (r *Runtime) Stop(ctx context.Context, name string) (ran bool, err error) {
	if err := checkName(name); err != nil {
		return false, err
	}
	unlock, err := r.locks.Lock(ctx, name)
	if err != nil {
		return false, err
	}
	defer unlock()
	dom, kind, err := r.find(name)
	if err != nil {
		return false, err
	}
	defer dom.Free()
	if ran, err = virt.IsActive(dom); err != nil || !ran {
		return false, err
	}
	if err := r.stopGently(ctx, dom, name, kind); err != nil {
		return true, fmt.Errorf("%s: %w", name, err)
	}
	if err := virt.Stop(dom); err != nil {
		return true, fmt.Errorf("%s: cannot stop: %w", name, err)
	}
	if err := stage.Remove(filepath.Join(r.state().Path(name), state.Stage)); err != nil {
		return true, fmt.Errorf("%s: %w", name, err)
	}
	if err := observe.NoteStopped(dom); err != nil {
		return true, fmt.Errorf("%s: %w", name, err)
	}
	return true, nil
}

// stopGently asks the sandbox's service to end and waits for as long as its
// profile gives it, and no longer than its process is there. A sandbox that cannot be
// asked, or ctx's end, is no error: the caller goes on to end it at once.
func (r *Runtime) stopGently(ctx context.Context, dom *libvirt.Domain, name string, kind schema.Backend) error {
	active, err := virt.IsActive(dom)
	if !active || err != nil {
		return err
	}
	dir := r.state().Path(name)
	ctx, cancel := context.WithTimeout(ctx, known.Of(kind).StopLimit(dir))
	defer cancel()
	end := r.processEnd(dom, name, kind)
	defer end.Close()
	if !r.askToStop(ctx, dom, name, kind) {
		return nil
	}
	return virt.AwaitStop(ctx, dom, end)
}

// processEnd watches the process that the sandbox is on this host; on another machine it
// is libvirt alone that sees it.
func (r *Runtime) processEnd(dom *libvirt.Domain, name string, kind schema.Backend) proc.End {
	if !r.drivers.Local() {
		return proc.WatchEnd(0)
	}
	return proc.WatchEnd(known.Of(kind).Process(dom, name))
}

// askToStop asks the first process to stop the service and says whether it will:
// through the channel or by the signal that libvirt sends a container, on another
// machine, where the channel cannot be reached, and where another version of sbx has
// started the container, which then speaks otherwise.
func (r *Runtime) askToStop(ctx context.Context, dom *libvirt.Domain, name string, kind schema.Backend) bool {
	bySignal := func() bool {
		return known.Of(kind).Signals && dom.ShutdownFlags(libvirt.DOMAIN_SHUTDOWN_SIGNAL) == nil
	}
	if !r.drivers.Local() {
		return bySignal()
	}
	client, err := r.dial(ctx, kind, r.state().Path(name))
	if other := new(channel.VersionError); errors.As(err, &other) {
		return bySignal()
	}
	if err != nil {
		return false
	}
	defer client.Close() // a machine waits for that before it switches itself off
	return client.Stop(ctx, func() {
		leave(dom, name, kind)
		r.tellKilled(ctx, client, name, kind)
	}) == nil
}

// tellKilled says so where the sandbox's command was asked to stop, and has been killed
// since it did not in its time: what it had not written yet is lost.
func (r *Runtime) tellKilled(ctx context.Context, client *channel.Client, name string, kind schema.Backend) {
	if status, err := client.Status(ctx); err != nil || !status.Killed {
		return
	}
	run := r.runOf(name, kind)
	if run == nil {
		return
	}
	limit := time.Duration(run.StopTimeout) * time.Millisecond
	r.options.Log(fmt.Sprintf("%s: its command was killed, since it had not stopped within %v (run: stop: timeout); what it had not written by then is lost", name, limit))
}

// leave has a sandbox's process be ready for the end of the sandbox. Where it cannot, the end
// only takes longer.
func leave(dom *libvirt.Domain, name string, kind schema.Backend) {
	if k := known.Of(kind); k.Leave != nil {
		_ = k.Leave(k.Process(dom, name))
	}
}

// Restart stops the sandbox's command and starts it again, and waits until it is
// ready. The sandbox itself, its interface and its mounts stay, unless something else
// stands by now at one of its host paths: then all of it is started anew.
func (r *Runtime) Restart(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	dom, kind, err := r.find(name)
	if err != nil {
		return err
	}
	defer dom.Free()
	conn, err := r.drivers.Connect(kind)
	if err != nil {
		return err
	}
	notes, err := virt.Metadata(dom)
	if err != nil {
		return virt.LostMeanwhile(name, err)
	}
	active, err := virt.IsActive(dom)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if active && notes != nil && len(kept.Moved(notes)) > 0 {
		return r.restartAnew(ctx, conn, dom, name, kind)
	}
	client, err := r.Attach(ctx, name)
	if err != nil {
		return err
	}
	defer client.Close()
	start := starting.Start{Limit: r.options.AnswerLimit, Conn: conn, Name: name, Kind: kind, Run: r.runOf(name, kind)}
	start.Kills = start.MemoryKills()
	limit := known.Of(kind).StopLimit(r.state().Path(name))
	order, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("its command did not stop within %v", limit))
	defer cancel()
	if err := client.Restart(order); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.tellKilled(order, client, name, kind)
	err = start.Wait(ctx, client)
	if failure := new(startfail.StartFailure); errors.As(err, &failure) {
		return failure.Leaves(err)
	}
	return err
}

// find gives the domain of a sandbox that is there.
func (r *Runtime) find(name string) (*libvirt.Domain, schema.Backend, error) {
	if r.embedded(name) {
		return nil, "", errEmbedded(name)
	}
	var found *libvirt.Domain
	var of schema.Backend
	err := r.drivers.EachKind(func(conn *libvirt.Connect, kind schema.Backend) (bool, error) {
		dom, _, err := virt.LookupOwn(conn, name)
		found, of = dom, kind
		return dom == nil, err
	})
	if found != nil || err != nil {
		return found, of, err
	}
	return nil, "", fault.New(diag.NoSandbox, "there is no sandbox %s: sbx ps lists what there is", name)
}
