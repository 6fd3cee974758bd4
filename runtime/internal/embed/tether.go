package embed

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/tether"
	"github.com/sbx-dev/sbx/runtime/internal/proc"
)

// Tether has the machine that the embedded driver has just started end with this
// process.
func (e *Driver) Tether(name string) error {
	if len(e.Tetherers) == 0 {
		return nil
	}
	pid := proc.ReadPID(PIDFile(e.Dir(), name))
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("QEMU's process cannot be watched: %w", err)
	}
	process := os.NewFile(uintptr(fd), "QEMU")
	defer process.Close()
	return tether.Start(e.Tetherers, process)
}

// pidFiles is where in a root folder that is.
const pidFiles = "run/qemu"

// PIDFile is where the embedded driver with the root folder notes the id of
// the named machine's QEMU.
func PIDFile(root, name string) string {
	return filepath.Join(root, pidFiles, name+".pid")
}

// Logs is where the embedded driver with the root folder keeps a log of each machine.
func Logs(root string) string { return filepath.Join(root, "log") }
