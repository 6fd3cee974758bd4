package runtime

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/schema"
)

func (r *Runtime) backend(kind schema.Backend) (kinds.Backend, error) {
	k, err := known.Named(kind)
	if err != nil {
		return nil, err
	}
	return k.Backend(&r.host), nil
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
	if backend.Held() {
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
