package keep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/confine"
	"github.com/sbx-dev/sbx/internal/lockfile"
	"github.com/sbx-dev/sbx/internal/logfile"
	"github.com/sbx-dev/sbx/internal/mac"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/droplog"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
)

// Start starts a keeper, as a process of its own, and returns when it has given
// up all but the descriptors that it needs; walls are the sandbox's inner ones. Where there is one, or argv is empty, it
// does nothing.
func Start(ctx context.Context, argv []string, dir, name string, walls []string) error {
	if len(argv) == 0 {
		return nil
	}
	lock, err := lockKeeper(dir, os.O_CREATE)
	if err != nil || lock == nil {
		return err
	}
	defer lock.Close()
	files, err := keptFiles(ctx, dir, name, walls, lock)
	defer closeAll(files)
	if err != nil {
		return fmt.Errorf("cannot start its keeper: %w", err)
	}
	keeper, err := confine.Start(append(append([]string{}, argv...), name), files...)
	if err == nil {
		err = errors.Join(notePID(lock, keeper.PID), keeper.Begin())
	}
	if err != nil {
		return fmt.Errorf("cannot start its keeper: %w", err)
	}
	return nil
}

// notePID notes the process that has the file locked, for who looks for it.
func notePID(lock *os.File, pid int) error {
	if err := lock.Truncate(0); err != nil {
		return err
	}
	_, err := lock.WriteAt(fmt.Appendf(nil, "%d\n", pid), 0)
	return err
}

// keptFiles opens what a keeper is started with, in the order of its descriptors.
func keptFiles(ctx context.Context, dir, name string, walls []string, lock *os.File) (files []*os.File, err error) {
	files = append(files, lock)
	for _, open := range []func() (*os.File, error){
		func() (*os.File, error) {
			return logfile.Make(filepath.Join(dir, state.Log), int(compiler.HelperID(name)))
		},
		func() (*os.File, error) { return endFile(dir) },
		func() (*os.File, error) { return channelFile(ctx, dir) },
		func() (*os.File, error) { return listenerFile(dir) },
		func() (*os.File, error) { return droplog.Listen(walls) },
	} {
		f, err := open()
		if err != nil {
			return files, err
		}
		files = append(files, f)
	}
	return files, nil
}

// endFile is where a keeper notes the end. It holds a line already where another keeper
// has been since the sandbox's start, before which Await has removed it.
func endFile(dir string) (*os.File, error) {
	another := !isFirst(dir)
	f, err := os.OpenFile(filepath.Join(dir, state.Ended), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil || !another {
		return f, err
	}
	if _, err := f.WriteString("\n"); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// isFirst says whether no keeper has been there since the sandbox's start.
func isFirst(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, state.Ended))
	return errors.Is(err, fs.ErrNotExist)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// dialLimit is how long QEMU may take to see that an earlier connection has ended.
const dialLimit = 30 * time.Second

// dialSocket connects to a socket, and tries again for as long as ctx lasts where too
// many others wait for it: QEMU has one connection at a time, and lets one wait.
func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	for {
		conn, err := hostfile.DialUnix(path)
		if !errors.Is(err, unix.EAGAIN) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Connect connects to the first process of the running sandbox whose folder is dir:
// through the process that holds its channel only where one alone can, since that one
// may be stopped.
func Connect(ctx context.Context, held bool, dir string) (*channel.Client, error) {
	var conn net.Conn
	var err error
	if held {
		conn, err = dialSocket(ctx, filepath.Join(dir, state.Keeper))
	}
	if conn == nil {
		conn, err = dialSocket(ctx, filepath.Join(dir, state.Channel))
	}
	if errors.Is(err, unix.ECONNREFUSED) {
		return nil, errors.New("its first process serves nobody: it has just ended, and the sandbox ends with it, or libvirt has started the sandbox without sbx: sbx ps shows which, and sbx restart starts it anew")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot reach the sandbox's first process: %w", err)
	}
	if held {
		return channel.Dial(ctx, conn)
	}
	return Dial(ctx, conn)
}

// Dial connects to the first process itself over a socket, and hands it a pipe for a
// command's output: not where SELinux would keep that from it, and say so for each
// connection. The output comes in frames then.
func Dial(ctx context.Context, first net.Conn) (*channel.Client, error) {
	if !mac.Host("/").PlainPipes() {
		return channel.Dial(ctx, first)
	}
	return channel.DialPassing(ctx, first)
}

// channelFile is a connection to the first process.
func channelFile(ctx context.Context, dir string) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	conn, err := dialSocket(ctx, filepath.Join(dir, state.Channel))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*net.UnixConn).File()
}

// listenerFile is the socket where others of root's connect to the channel.
func listenerFile(dir string) (*os.File, error) {
	l, err := Listen(dir)
	if err != nil {
		return nil, err
	}
	return given(l)
}

// given is a listener that goes to another process.
func given(l *net.UnixListener) (*os.File, error) {
	defer l.Close()
	l.SetUnlinkOnClose(false)
	return l.File()
}

// Listen makes that socket. Who makes it before the sandbox starts has those wait there
// who come early: nobody takes the channel that one alone can have before its holder does.
func Listen(dir string) (*net.UnixListener, error) {
	path := filepath.Join(dir, state.Keeper)
	if err := hostfile.RemoveFile(path); err != nil { // left behind by one that has ended
		return nil, err
	}
	return hostfile.ListenUnix(path)
}

// lockKeeper makes this process the keeper of the folder's sandbox; nil when
// there is one. flags is os.O_CREATE for one that is to stay: without it, nothing
// is left in a folder that goes.
func lockKeeper(dir string, flags int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, state.KeeperLock), flags|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	locked, err := lockfile.Try(f, lockfile.Exclusive)
	if locked {
		return f, nil
	}
	f.Close()
	return nil, err
}

// HasKeeper says whether a keeper shares the sandbox's channel.
func HasKeeper(dir string) bool {
	conn, err := net.Dial("unix", filepath.Join(dir, state.Keeper))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// Await waits until the keeper of a sandbox that has ended has written the
// rest of the output and ended, too, and makes room for the next one.
func Await(dir string) error {
	lock, err := done(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	return errors.Join(hostfile.RemoveFile(filepath.Join(dir, state.Keeper)), hostfile.RemoveFile(filepath.Join(dir, state.Ended)))
}

// Done waits for the same, and leaves all as it is.
func Done(dir string) error {
	lock, err := done(dir)
	if err != nil {
		return err
	}
	lock.Close()
	return nil
}

// done waits for the lock of a keeper that has ended; it is nil where there never was one.
func done(dir string) (*os.File, error) {
	for limit := time.Now().Add(lastLimit); ; time.Sleep(2 * time.Millisecond) {
		lock, err := lockKeeper(dir, 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if lock != nil || err != nil { // there is none, or never was
			return lock, nil
		}
		if time.Now().After(limit) {
			return nil, fmt.Errorf("its keeper does not end: find \"sbx keep %s\" with ps, and end it", filepath.Base(dir))
		}
	}
}

// Remove removes what the keepers of a sandbox have made, once the last one
// has ended.
func Remove(dir string) error {
	if err := Await(dir); err != nil {
		return err
	}
	for _, file := range []string{state.KeeperLock, state.Keeper} { // an sbx run that was killed leaves a socket, and no lock
		if err := hostfile.RemoveFile(filepath.Join(dir, file)); err != nil {
			return err
		}
	}
	return hostfile.RemoveTree(filepath.Join(dir, state.Log))
}
