package guard

import (
	"context"
	"net"
	"os"
	"os/exec"

	"github.com/sbx-dev/sbx/internal/state"
)

// unit is the guard of the default state folder, where systemd runs it. As a process of
// whoever has called up, it would go with that one: with a unit that has done its work, or
// whose sandbox is taken down.
const unit = "sbx-guard.service"

// byUnit has systemd start the guard, and says whether that could be. It returns when the
// guard has looked at all walls.
func (f Folder) byUnit(ctx context.Context) bool {
	if _, err := os.Stat("/run/systemd/system"); err != nil || f.Folder != state.Default { // as sd_booted(3) has it
		return false
	}
	// One that has just left by itself may still be there, as systemd sees it, for which it
	// would not start another.
	return exec.CommandContext(ctx, "systemctl", "restart", unit).Run() == nil && f.runs()
}

// notifier connects to who wants to know when this process is ready, by sd_notify(3): ready
// tells it. It is nobody where systemd has not started it.
func notifier() (ready func(), err error) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return func() {}, nil
	}
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		return nil, err
	}
	return func() {
		_, _ = conn.Write([]byte("READY=1"))
		conn.Close()
	}, nil
}
