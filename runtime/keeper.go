package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/logfile"
)

// A keeper is a process beside a sandbox that writes its service's output to a log
// and shares its channel, which in a machine only one process can hold. The sandbox
// does not need it: without one, output is lost but for the latest, and a machine has
// one session at a time.
//
// keeperLimit is how long a keeper's beginning is waited for, and lastLimit how
// long it may take to write the rest of the output when its sandbox has ended:
// far longer than that takes, since what comes after it fails.
const (
	keeperLimit = 5 * time.Second
	lastLimit   = time.Minute
)

// passLimit is how long a keeper's end waits for the requests of others.
const passLimit = 10 * time.Second

// Keep is the keeper of the named sandbox. It ends with the sandbox; at once,
// where there is a keeper already.
func (r *Runtime) Keep(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	dir := r.state().Path(name)
	lock, err := lockKeeper(dir, os.O_CREATE)
	if err != nil || lock == nil {
		return err
	}
	defer lock.Close()
	log, err := logfile.NewWriter(filepath.Join(dir, logDir))
	if err != nil {
		return err
	}
	defer log.Close()
	conn, err := net.Dial("unix", filepath.Join(dir, channelSocket))
	if err != nil {
		return err
	}
	answer, cancel := r.untilAnswer(ctx)
	defer cancel()
	client, err := channel.Dial(answer, conn)
	if err != nil {
		return err
	}
	defer client.Close()
	stop, err := share(dir, client)
	if err != nil {
		return err
	}
	defer stop()
	noted := make(chan error, 1)
	go func() { noted <- noteEnd(ctx, client, dir) }()
	err = keepLog(ctx, client, log)
	return errors.Join(err, <-noted)
}

// keepLog writes the output to the log. What an earlier keeper has written
// already is older than the log's last line.
func keepLog(ctx context.Context, client *channel.Client, log *logfile.Writer) error {
	last := log.Last()
	return client.Output(ctx, 0, true, func(record channel.Record) error {
		if !record.Time.After(last) {
			return nil
		}
		return log.Write(record.Time, record.Stream, record.Data)
	})
}

// lockKeeper makes this process the keeper of the folder's sandbox; nil when
// there is one. flags is os.O_CREATE for one that is to stay: without it, nothing
// is left in a folder that goes.
func lockKeeper(dir string, flags int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, keeperLock), flags|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = nil
	}
	return nil, err
}

// share lets other processes of root's use the channel, through a socket in the
// sandbox's folder, until stop is called: that lets the requests under way end,
// so that whoever waits is told the end, but not for long.
func share(dir string, client *channel.Client) (stop func(), err error) {
	path := filepath.Join(dir, keeperSocket)
	if err := removeFile(path); err != nil { // left behind by one that was killed
		return nil, err
	}
	l, err := listenUnix(path)
	if err != nil {
		return nil, err
	}
	shared := make(chan struct{})
	go func() { client.Share(l); close(shared) }()
	return func() {
		l.Close()
		select {
		case <-shared:
		case <-time.After(passLimit):
		}
	}, nil
}

// startKeeper starts a keeper, as a process of its own, and returns when it
// holds the channel. Without Options.Keeper there is none.
func (u *up) startKeeper() error {
	argv := u.r.options.Keeper
	if len(argv) == 0 {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	keeper := exec.Command(program, u.s.name)
	keeper.Args = append(append([]string{}, argv...), u.s.name)
	keeper.Dir = "/"
	keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := keeper.Start(); err != nil {
		return fmt.Errorf("cannot start its keeper: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = keeper.Wait() // where there is a keeper already, it ends at once
		close(ended)
	}()
	for limit := time.After(keeperLimit); ; {
		if hasKeeper(u.s.dir) {
			return nil
		}
		select {
		case <-ended:
			return nil
		case <-limit:
			return nil // a service that keeps its machine busy is still a service
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// hasKeeper says whether a keeper shares the sandbox's channel.
func hasKeeper(dir string) bool {
	conn, err := net.Dial("unix", filepath.Join(dir, keeperSocket))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// awaitKeeper waits until the keeper of a sandbox that has ended has written the
// rest of the output and ended, too, and makes room for the next one.
func awaitKeeper(dir string) error {
	for limit := time.Now().Add(lastLimit); ; time.Sleep(2 * time.Millisecond) {
		lock, err := lockKeeper(dir, 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if lock != nil || err != nil { // there is none, or never was
			defer lock.Close()
			return errors.Join(removeFile(filepath.Join(dir, keeperSocket)), removeFile(filepath.Join(dir, endFile)))
		}
		if time.Now().After(limit) {
			return fmt.Errorf("its keeper does not end: find \"sbx keep %s\" with ps, and end it", filepath.Base(dir))
		}
	}
}

// removeKept removes what the keepers of a sandbox have made, once the last one
// has ended.
func removeKept(dir string) error {
	if err := awaitKeeper(dir); err != nil {
		return err
	}
	for _, file := range []string{keeperLock, keeperSocket} { // an sbx run that was killed leaves a socket, and no lock
		if err := removeFile(filepath.Join(dir, file)); err != nil {
			return err
		}
	}
	return removeTree(filepath.Join(dir, logDir))
}
