package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/jobs"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/internal/startfail"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema/diag"
)

// rest leaves a job that is up to its timer.
func (u *up) rest(ctx context.Context) error {
	o := u.r.options
	if err := jobs.Keep(u.s.Dir, u.bundle, jobs.Machines{Accel: o.Accel, Kernel: o.Kernel, Modules: o.Modules}); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	if err := jobs.Install(u.s.Name, u.s.Metadata.Every); err != nil {
		return err
	}
	return u.settle(ctx)
}

// RunJob runs a job that Up has prepared to its end, and gives that. A job whose command
// fails is a *StartFailure besides. One that runs is refused; where ctx ends, the run is
// stopped.
func (r *Runtime) RunJob(ctx context.Context, name string) (last channel.Status, err error) {
	if err := checkName(name); err != nil {
		return last, err
	}
	if err := r.needLocal("job"); err != nil {
		return last, err
	}
	dir := r.state().Path(name)
	var before time.Time // of the runs before this one
	err = jobs.Begin(dir, name, func(b *compiler.Bundle, by jobs.Machines) error {
		if err := r.checkIdle(name); err != nil {
			return err
		}
		if err := keep.Done(dir); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		before = keep.LastLogged(ctx, dir)
		o := r.options
		if o.Accel = cmp.Or(o.Accel, by.Accel); o.Kernel == "" && o.Modules == "" {
			o.Kernel, o.Modules = by.Kernel, by.Modules
		}
		runs := New(o)
		defer runs.Close()
		_, err := runs.up(ctx, b, nil, []UpOption{asJob})
		return err
	})
	if err != nil {
		return last, err
	}
	// The sandbox goes when one has been told its command's end, and that is to be its
	// keeper, which has its output by then. After it, the next run may come.
	err = r.awaitStopped(ctx, name)
	if ctx.Err() != nil {
		_, err := r.Stop(context.WithoutCancel(ctx), name)
		return last, errors.Join(fmt.Errorf("%s: its run was stopped: %w", name, context.Cause(ctx)), err)
	}
	if err == nil {
		last, err = r.Wait(ctx, name) // of what its keeper has noted
	}
	if err == nil && (last.Exit == nil || last.Exit.Status() != 0) {
		if err := keep.Done(dir); err != nil { // what it wrote last is in the log by then
			return last, fmt.Errorf("%s: %w", name, err)
		}
		err = &startfail.StartFailure{Name: name, Way: startfail.EndedEarly, Status: last, Records: keep.LoggedOutput(ctx, dir, before)}
	}
	return last, err
}

// checkIdle refuses a job of which a run is under way.
func (r *Runtime) checkIdle(name string) error {
	dom, kind, err := r.find(name)
	if err != nil {
		return err
	}
	defer dom.Free()
	active, err := virt.IsActive(dom)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if active && !observe.EndUnseen(dom, name, kind) {
		return fault.New(diag.Busy, "%s: a run of it is under way: sbx logs -f %s shows it, sbx stop %s ends it", name, name, name)
	}
	return nil
}

// awaitStopped waits until the sandbox has ended, whose command has.
func (r *Runtime) awaitStopped(ctx context.Context, name string) error {
	dom, kind, err := r.find(name)
	if err != nil {
		return err
	}
	defer dom.Free()
	end := r.processEnd(dom, name, kind)
	defer end.Close()
	return virt.AwaitStop(ctx, dom, end)
}
