package guard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/internal/confine"
	"github.com/sbx-dev/sbx/internal/lockfile"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/innerwall"
)

// Main is the life of a guard, whose folder is path: until no wall is left there, or ctx
// ends, or where there is another one already. The process that Ensure starts calls it.
func Main(ctx context.Context, path string) error {
	if os.Geteuid() != 0 {
		return errors.New("inner walls are root's")
	}
	folder, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("sbx starts this by itself: %w", err)
	}
	ready, err := notifier()
	if err != nil {
		return err
	}
	life, err := begin(filepath.Join(path, state.GuardLock))
	if err != nil {
		return err
	}
	if life == nil {
		ready() // by another one
		return nil
	}
	defer life.Close() // and, but for leave, no earlier: its lock says that there is a guard
	changes, err := lockfile.Open(filepath.Join(path, state.GuardChanges))
	if err != nil {
		return err
	}
	told, err := listen() // before it looks at all of them: nothing is missed
	if err != nil {
		return err
	}
	if err := confine.Enter(confinement(folder)); err != nil {
		return err
	}
	if err := confine.Begun(); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { told.file.Close() })
	g := guard{told: told, life: life, changes: changes, walls: map[string]*watch{}}
	g.markAll()
	g.look()
	ready()
	if err := g.run(); ctx.Err() == nil {
		return err
	}
	return nil
}

// begin locks the file by which others see that there is a guard; nil where there is one.
// It is not open for writing: what stands in it is root's to say.
func begin(path string) (*os.File, error) {
	made, err := lockfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer made.Close()
	life, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookLimit)
	defer cancel()
	if err := lockfile.Wait(ctx, life, lockfile.Exclusive); err != nil {
		life.Close()
		if errors.Is(err, lockfile.ErrBusy) {
			err = nil
		}
		return nil, err
	}
	return life, nil
}

// lookLimit is how long those may have a lock that only look whether there is a guard.
const lookLimit = time.Second

// guard is one at work. All paths are below its folder, which is its root.
type guard struct {
	told    *events
	life    *os.File // whose lock says that there is a guard
	changes *os.File
	walls   map[string]*watch
}

// watch is what a guard knows of a wall.
type watch struct {
	due   time.Time     // when it is to be looked at; zero: when it has changed
	last  time.Time     // when it was not as it should be
	times int           // how often it was not, without being left alone for a while
	pause time.Duration // after which it may be mended again
	quiet bool          // its note says nothing that may be over
}

// How long a guard waits before it mends a wall again that somebody goes on removing: not
// at all the first times, and then twice as long each time, until it was left alone for a
// while.
const (
	patience   = 10
	firstPause = time.Second
	longPause  = 10 * time.Second
	aloneTime  = time.Minute
)

func (g *guard) run() error {
	for {
		if over, err := g.leave(); over || err != nil {
			return err
		}
		lost, err := false, g.told.file.SetReadDeadline(g.next())
		if err == nil {
			lost, err = g.told.read(g.mark)
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if lost {
			g.markAll()
		}
		g.look()
	}
}

// leave ends the guard once there is no wall to hold: that the last one goes is a change
// that the kernel tells, or one that is due to be looked at. Under the lock, so that
// whoever comes with another one either finds the guard gone, or is seen.
func (g *guard) leave() (over bool, err error) {
	if len(g.walls) > 0 {
		return false, nil
	}
	if wanted, err := g.comes(); wanted || err != nil {
		return false, err
	}
	if err := lockfile.Wait(context.Background(), g.changes, lockfile.Exclusive); err != nil {
		return false, err
	}
	defer g.unlock()
	if wanted, err := g.comes(); wanted || err != nil {
		return false, err
	}
	return true, g.life.Close()
}

// comes says whether there is to be a wall again, and has it looked at: whoever came with
// it has found this guard, and the kernel may have nothing to tell of it.
func (g *guard) comes() (bool, error) {
	names, err := namesIn("/" + state.Walls)
	for _, name := range names {
		g.mark(name)
	}
	return len(names) > 0, err
}

// next is when a wall has to be looked at, whatever happens; zero where none has.
func (g *guard) next() (at time.Time) {
	for _, w := range g.walls {
		if !w.due.IsZero() && (at.IsZero() || w.due.Before(at)) {
			at = w.due
		}
	}
	return at
}

// mark notes that a table has changed.
func (g *guard) mark(table string) {
	if !isName(table) {
		return
	}
	w := g.walls[table]
	if w == nil {
		if _, err := os.Lstat(wallPath(table)); err != nil {
			return // it is none of ours
		}
		w = new(watch)
		g.walls[table] = w
	}
	w.due = w.next(time.Now())
}

// next is when the wall may be mended at the earliest.
func (w *watch) next(now time.Time) time.Time {
	if at := w.last.Add(w.pause); at.After(now) {
		return at
	}
	return now
}

// failed notes that the wall was not as it should be.
func (w *watch) failed(now time.Time) {
	if now.Sub(w.last) > aloneTime {
		w.times, w.pause = 0, 0
	}
	w.last = now
	if w.times++; w.times > patience {
		w.pause = min(max(firstPause, 2*w.pause), longPause)
	}
}

// markAll has all walls looked at that there are to be.
func (g *guard) markAll() {
	_, _ = g.comes() // root's files, for this process to read
}

// look looks at the walls that are due.
func (g *guard) look() {
	now, some, wait := time.Now(), false, stoppedLimit
	for name, w := range g.walls {
		if w.due.IsZero() || w.due.After(now) {
			continue
		}
		w.due, some = time.Time{}, true
		unlock, had := g.lock(wait)
		if !had {
			wait = 0 // who has it is stopped: once is enough
		}
		if !g.hold(name, w) {
			delete(g.walls, name)
		}
		unlock()
	}
	if some {
		debug.FreeOSMemory() // what a large wall took: there is one guard, which does little
	}
}

// hold has the kernel hold a wall, and says whether there is to be one.
func (g *guard) hold(name string, w *watch) bool {
	table, err := read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	was := ""
	if err == nil {
		was, err = innerwall.Mend(table)
	}
	if was != "" || err != nil || !w.quiet {
		w.note(name, was, err)
	}
	return true
}

// lock waits while an sbx changes a wall: what it makes of it is not for the guard to
// take back. One that is stopped meanwhile holds up nobody for longer than that: what the
// wall is to be stands in its file by then.
func (g *guard) lock(wait time.Duration) (unlock func(), had bool) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if lockfile.Wait(ctx, g.changes, lockfile.Exclusive) != nil {
		return func() {}, false
	}
	return g.unlock, true
}

func (g *guard) unlock() { _ = unix.Flock(int(g.changes.Fd()), unix.LOCK_UN) }

// stoppedLimit is how long an sbx may have the lock before the guard goes on without it.
const stoppedLimit = 10 * time.Second

// note notes what a wall was instead of what it should be, or why it cannot be mended.
func (w *watch) note(name, was string, failed error) {
	now := time.Now()
	before, err := readNote(notePath(name))
	if before == nil || err != nil {
		before = new(Note)
	}
	n := *before
	n.Failed, n.Pause = "", ""
	if was != "" || failed != nil {
		w.failed(now)
	}
	switch {
	case failed != nil:
		n.Failed, w.due = failed.Error(), now.Add(max(w.pause, firstPause))
	case was != "":
		n.Mended, n.Last, n.Found = n.Mended+1, now.UTC(), was
	}
	if w.pause > 0 && now.Sub(w.last) <= aloneTime {
		n.Pause = w.pause.String()
		if w.due.IsZero() {
			w.due = w.last.Add(aloneTime + time.Second) // when that is over, the note says so
		}
	}
	w.quiet = n.Failed == "" && n.Pause == ""
	if n != *before {
		n.write(notePath(name))
	}
}

// read reads what a wall is to be.
func read(name string) (*nftables.Table, error) {
	data, err := os.ReadFile(wallPath(name))
	if err != nil {
		return nil, err
	}
	table, err := nftables.Decode(data)
	if err == nil && table.Name != name {
		err = fmt.Errorf("the file is of the table %q", table.Name)
	}
	return table, err
}

func wallPath(name string) string { return "/" + state.Walls + "/" + name }
func notePath(name string) string { return "/" + state.Notes + "/" + name }
