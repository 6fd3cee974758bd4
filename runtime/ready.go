package runtime

import (
	"context"
	"fmt"
	"time"

	"github.com/sbx-dev/sbx/initramfs"
	"github.com/sbx-dev/sbx/initramfs/channel"
)

// readyMargin is what a service may take beyond its profile's time: that begins
// when its process has started and the sandbox's addresses hold, which takes a
// busy host longer.
const readyMargin = 30 * time.Second

// waitReady waits until the sandbox says that its service is ready: for the time
// that its profile gives it, however often it is started in that time. run may be
// nil, where it is not known.
func (r *Runtime) waitReady(ctx context.Context, client *channel.Client, run *initramfs.Run) error {
	limit := r.options.AnswerLimit
	if run != nil && run.Ready != nil {
		limit = time.Duration(run.Ready.Timeout)*time.Millisecond + readyMargin
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it was not ready within %v", limit))
	defer cancel()
	_, err := client.WaitReady(ctx)
	return err
}
