package runtime

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/schema"
)

// backend is what differs between kinds of sandbox.
type backend interface {
	// prepare makes the files on the host that the domain names. What an
	// earlier prepare made is replaced.
	prepare(ctx context.Context, s *bound.Sandbox) error
	// start starts the defined domain.
	start(s *bound.Sandbox, dom *libvirt.Domain) error
	// startTransient starts the domain without defining it; it ends with conn
	// at the latest. The connection to its first process is that one's first.
	startTransient(s *bound.Sandbox, conn *libvirt.Connect) (*libvirt.Domain, net.Conn, error)
	// held says whether only one process can hold the channel, so that all
	// others speak with the first process through that one.
	held() bool
	// clear removes what prepare and start made in the sandbox's folder; it
	// removes nothing that the sandbox itself wrote.
	clear(dir string) error
}

func (r *Runtime) backend(kind schema.Backend) (backend, error) {
	k, err := kindNamed(kind)
	if err != nil {
		return nil, err
	}
	return k.backend(r), nil
}

// dial connects to the first process of the running sandbox whose folder is dir:
// through the process that holds its channel only where it must, since that one
// may be stopped.
func (r *Runtime) dial(ctx context.Context, kind schema.Backend, dir string) (*channel.Client, error) {
	ctx, cancel := r.untilAnswer(ctx)
	defer cancel()
	backend, err := r.backend(kind)
	if err != nil {
		return nil, err
	}
	var conn net.Conn
	if backend.held() {
		conn, err = keep.Dial(ctx, filepath.Join(dir, state.Keeper))
	}
	if conn == nil {
		conn, err = keep.Dial(ctx, filepath.Join(dir, state.Channel))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot reach the sandbox's first process: %w", err)
	}
	return channel.Dial(ctx, conn)
}

// answerNotice is after how long a person is told that nothing has come yet.
const answerNotice = 30 * time.Second

// untilAnswer bounds how long a first process may take to answer.
func (r *Runtime) untilAnswer(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := r.options.AnswerLimit
	notice := time.AfterFunc(answerNotice, func() {
		r.options.Log(fmt.Sprintf("its first process has not answered for %v; sbx waits %v for it", answerNotice, limit))
	})
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("nothing came within %v: it hangs, or this host is too slow or busy for it", limit))
	return ctx, func() { notice.Stop(); cancel() }
}
