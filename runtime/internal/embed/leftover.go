package embed

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/runtime/internal/proc"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
)

// endLimit is how long a machine that was left may take to end by force.
const endLimit = 10 * time.Second

// errMachine is why a root folder that no sbx uses is not cleared.
var errMachine = errors.New("which does not end with its sbx")

// endMachines ends the machines that are left in a root folder which no process of sbx
// uses: their own was killed before it had tethered them, or their tether was, too.
func endMachines(root *os.Root) error {
	files, err := fs.Glob(root.FS(), path.Join(pidFiles, "*.pid"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := endMachine(root, file); err != nil {
			return err
		}
	}
	return nil
}

// endMachine ends the machine with that file of its process's id. libvirt has QEMU hold a
// lock of the file until it ends, so that no other process is taken for it which has got
// its id since.
func endMachine(root *os.Root, file string) error {
	f, err := root.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it has just ended
	}
	if err != nil {
		return err
	}
	defer f.Close()
	pid, err := holder(f)
	if pid == 0 || err != nil {
		return err
	}
	end := proc.WatchEnd(pid)
	defer end.Close()
	if still, err := holder(f); still != pid || err != nil { // else what is watched is the holder
		return err
	}
	name := strings.TrimSuffix(path.Base(file), ".pid")
	if qemu.Runs(pid, name) {
		end.Kill(endLimit)
	}
	if !end.Came() {
		return fmt.Errorf("%s is process %d's, %w: look at it with ps -fp %[2]d", filepath.Join(root.Name(), file), pid, errMachine)
	}
	return nil
}

// holder is the process that has the file locked as fcntl(2) locks; 0 where there is none.
func holder(f *os.File) (int, error) {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock); err != nil {
		return 0, fmt.Errorf("who has %s locked: %w", f.Name(), err)
	}
	if lock.Type == unix.F_UNLCK {
		return 0, nil
	}
	if lock.Pid <= 0 {
		return 0, fmt.Errorf("%s is a process's that cannot be seen from here, %w", f.Name(), errMachine)
	}
	return int(lock.Pid), nil
}
