package runtime

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/tether"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
	"github.com/sbx-dev/sbx/runtime/internal/proc"
)

// tether has the machine that the embedded driver has just started end with this
// process.
func (r *Runtime) tether(name string) error {
	if len(r.options.Tether) == 0 {
		return nil
	}
	pid := proc.ReadPID(embedPIDFile(r.embed.dir(), name))
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("QEMU's process cannot be watched: %w", err)
	}
	process := os.NewFile(uintptr(fd), "QEMU")
	defer process.Close()
	return tether.Start(r.options.Tether, process)
}

// embedPIDFile is where the embedded driver with the root folder notes the id of
// the named machine's QEMU.
func embedPIDFile(root, name string) string {
	return filepath.Join(root, "run/qemu", name+".pid")
}

// removeEmbedLog removes what the named machine's QEMU said, of which the
// embedded driver keeps a file for each name.
func removeEmbedLog(root, name string) error {
	return hostfile.RemoveFile(filepath.Join(root, "log/qemu", name+".log"))
}
