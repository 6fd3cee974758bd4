package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/internal/startfail"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// explain finds out why a sandbox has ended that was just started, where that is
// what made a later step of Up fail: libvirt says no more than that it does not
// run.
func (u *up) explain(ctx context.Context, err error) error {
	known := new(startfail.StartFailure)
	if !u.begun || ctx.Err() != nil || errors.As(err, &known) && known.Way != startfail.Lost || !u.hasEnded(ctx, patience(err)) {
		return err
	}
	f := &startfail.StartFailure{Name: u.s.Name, Way: startfail.Lost, Argv: u.s.Manifest.Run.Argv, Ended: true, Err: err}
	if known.Way == startfail.Lost {
		f.Err, f.Status = known.Err, known.Status
	}
	if end, err := keep.NotedEnd(u.s.Dir); err == nil {
		f.Way, f.Status, f.Err = startfail.EndedEarly, end, nil
		f.Status.Output = 0 // a log has no numbers
		f.Records = keep.LoggedOutput(ctx, u.s.Dir, u.logged)
	}
	return f
}

// patience is how long libvirt may take to see that a sandbox has ended whose Up has
// failed: some time where it has stopped to answer, and none where something else failed,
// which libvirt or the host said.
func patience(err error) time.Duration {
	known := new(startfail.StartFailure)
	if errors.As(err, &known) && known.Way == startfail.Lost || errors.Is(err, channel.ErrLost) {
		return noticeLimit
	}
	return 0
}

// undo takes away what a failed Up made, however ctx ended, or keeps it stopped.
func (u *up) undo(cause error, keepFailed bool) error {
	name, failure := u.s.Name, new(startfail.StartFailure)
	failed := errors.As(cause, &failure)
	switch {
	case u.defined && u.result.Created && !keepFailed:
		if err := u.r.remove(u.conn, u.s); err != nil {
			return errors.Join(cause, fmt.Errorf("and it could not be undone: %w: sbx down %s tries again", err, name))
		}
		if failed {
			return fmt.Errorf("%w\n%s is removed again: sbx up --keep-failed leaves it stopped, with its log", cause, name)
		}
	case u.defined && u.renews():
		if err := u.keep(cause); err != nil {
			return errors.Join(cause, err)
		}
		look := ""
		if failed {
			look = fmt.Sprintf("; sbx logs %s shows what it wrote", name)
		}
		return fmt.Errorf("%w\n%s is stopped now: mend that and run sbx up again, or sbx down%s", cause, name, look)
	case failed:
		return failure.Leaves(cause)
	}
	return cause
}

// keep leaves a sandbox that has failed to start stopped, with its log, and notes
// that this is sbx's own doing.
func (u *up) keep(cause error) error {
	dom, _, err := virt.LookupOwn(u.conn, u.s.Name)
	if dom == nil || err != nil {
		return err
	}
	defer dom.Free()
	if err := errors.Join(virt.Stop(dom), stage.Remove(u.s.StageDir())); err != nil {
		return err
	}
	if failure := new(startfail.StartFailure); errors.As(cause, &failure) {
		if err := keep.Words(u.s.Dir, failure); err != nil {
			return err
		}
	}
	observer := observe.New(u.r.state())
	have, err := observer.Observe(u.conn, u.s.Name, u.s.Backend, u.s.Metadata)
	if err != nil {
		return err
	}
	objects, err := have.Fingerprints()
	if err != nil {
		return err
	}
	notes := *have.Metadata // of what it had and of what it was to have
	notes.Applied = observe.NewApplied(objects)
	return virt.WriteNotes(dom, &notes)
}
