package runtime

import (
	"context"

	"github.com/sbx-dev/sbx/internal/forward"
	"github.com/sbx-dev/sbx/internal/tether"
)

// Forward passes connections to a sandbox's published ports on until the sandbox ends
// or ctx does. The process that Options.Forwarder starts calls it, with task as its
// last argument.
func Forward(ctx context.Context, task string) error { return forward.Main(ctx, task) }

// Tether waits until the process that started it has ended, and ends the machine that
// was that one's. The process that Options.Tether starts calls it.
func Tether() error { return tether.Main() }
