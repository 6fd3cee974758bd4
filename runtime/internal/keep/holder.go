package keep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/confine"
	"github.com/sbx-dev/sbx/internal/state"
)

// The descriptors that a holder is started with. Its standard input ends when the
// process that started it leaves, however that ends.
const (
	holderChannel  = 3 // the connection to the first process
	holderListener = 4 // where others connect
)

// Hold connects to a first process over its only connection, which it takes over with
// the listener, and lets other processes use it, until leave is called. A holder does it
// where argv names one: a process beside this one, which nobody stops with Ctrl-Z.
func Hold(ctx context.Context, argv []string, dir string, l *net.UnixListener, first net.Conn) (client *channel.Client, leave func(), err error) {
	if len(argv) > 0 {
		return startHolder(ctx, argv, dir, l, first)
	}
	client, err = channel.Dial(ctx, first)
	if err != nil {
		l.Close()
		return nil, nil, err
	}
	stop := share(l, client)
	return client, func() { stop(); client.Close() }, nil
}

// startHolder gives the connection to a holder and connects to that.
func startHolder(ctx context.Context, argv []string, dir string, l *net.UnixListener, first net.Conn) (*channel.Client, func(), error) {
	defer first.Close()
	listener, err := given(l)
	if err != nil {
		return nil, nil, err
	}
	defer listener.Close()
	leave, said, err := runHolder(append(append([]string{}, argv...), filepath.Base(dir)), first.(*net.UnixConn), listener)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot start the process that holds its channel: %w", err)
	}
	conn, err := net.Dial("unix", filepath.Join(dir, state.Keeper))
	if err != nil {
		leave()
		return nil, nil, err
	}
	client, err := channel.Dial(ctx, conn)
	if err != nil {
		asked := ctx.Err() != nil // then the holder has no reason of its own
		leave()
		if text := strings.TrimPrefix(strings.TrimSpace(said.String()), "sbx: "); text != "" && !asked {
			err = errors.New(channel.Clean(text))
		}
		return nil, nil, err
	}
	return client, func() { client.Close(); leave() }, nil
}

// runHolder starts a holder. leave tells it to end, and returns when it has, or
// when the requests of others keep it; said is then why it failed.
func runHolder(argv []string, first *net.UnixConn, listener *os.File) (leave func(), said *bytes.Buffer, err error) {
	conn, err := first.File()
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	said = new(bytes.Buffer)
	holder := &exec.Cmd{
		Path:        "/proc/self/exe",
		Args:        argv,
		Env:         []string{},
		Dir:         "/",
		Stderr:      said,
		ExtraFiles:  []*os.File{conn, listener},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true}, // what the terminal sends us is not for it
	}
	stay, err := holder.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := holder.Start(); err != nil {
		return nil, nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = holder.Wait() // the channel's end says more
		close(ended)
	}()
	return func() {
		stay.Close()
		select {
		case <-ended:
		case <-time.After(2 * passLimit):
		}
	}, said, nil
}

// HoldMain is the life of a holder of the named sandbox's channel: until the first
// process has ended, or whoever started this one has left and the requests of others
// that were under way have ended, but for those that last.
func HoldMain(ctx context.Context, name string) error {
	err := confine.Enter(confine.Confinement{ID: compiler.HelperID(name), Files: holderListener - 2, Calls: confine.Sockets})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	conn, err := inherited(holderChannel, net.FileConn)
	if err != nil {
		return err
	}
	l, err := inherited(holderListener, net.FileListener)
	if err != nil {
		return err
	}
	client, err := channel.Dial(ctx, conn)
	if err != nil {
		return err
	}
	defer client.Close()
	defer share(l, client)()
	select {
	case <-client.Done():
	case <-ctx.Done():
	}
	return nil
}

// inherited is what a descriptor stands for that this process was started with.
func inherited[T any](fd uintptr, open func(*os.File) (T, error)) (T, error) {
	f := os.NewFile(fd, "inherited")
	defer f.Close()
	t, err := open(f)
	if err != nil {
		err = fmt.Errorf("sbx starts this by itself: %w", err)
	}
	return t, err
}
