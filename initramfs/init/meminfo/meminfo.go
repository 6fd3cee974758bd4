// Package meminfo lets a container's programs read /proc/meminfo. libvirt's own, a
// file of a FUSE server that tells the container's limit and use, cannot be read at
// another place than where the reader stands on newer kernels, and so not at all by
// free, vmstat and ps aux.
package meminfo

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	path  = "/proc/meminfo"
	stage = "/dev/shm" // which every sandbox has, and nothing uses yet
)

// Cover mounts a file in memory over libvirt's, and has it say what that one does
// for as long as this process lives. It takes CAP_SYS_ADMIN for the moment; without,
// libvirt's stays. Nothing is asked of the server yet: at a container's start, the
// host freezes it and its server together for a moment, which a process that waits
// for the server would hold up.
func Cover() error {
	covered, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	c := copied{from: covered}
	if c.to, err = mountFile(); err != nil {
		unix.Close(covered)
		if errors.Is(err, unix.EPERM) {
			return nil
		}
		return fmt.Errorf("cannot mount a file over %s: %w", path, err)
	}
	go c.serve()
	return nil
}

// mountFile makes the file, which this process alone can write.
func mountFile() (*os.File, error) {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("meminfo", stage, "tmpfs", flags, "size=64k,mode=0755"); err != nil {
		return nil, err
	}
	defer unix.Unmount(stage, unix.MNT_DETACH)
	name := filepath.Join(stage, filepath.Base(path))
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return nil, err
	}
	if err := cover(file, name); err != nil {
		file.Close()
		return nil, err
	}
	if err := unix.Mount("", path, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|flags, ""); err != nil {
		unix.Unmount(path, unix.MNT_DETACH)
		file.Close()
		return nil, err
	}
	return file, nil
}

// cover mounts the file, which everyone may read, unless the kernel knows no leases
// of it, so that it could not be kept up to date.
func cover(file *os.File, name string) error {
	if err := file.Chmod(0o444); err != nil { // whatever the umask
		return err
	}
	for _, kind := range []int{unix.F_WRLCK, unix.F_UNLCK} {
		if err := setLease(file, kind); err != nil {
			return err
		}
	}
	return unix.Mount(name, path, "", unix.MS_BIND, "")
}

// copied is one file that is kept like another.
type copied struct {
	from int // by which it can be opened, though it is covered
	to   *os.File
}

// limit is far more than the file has.
const limit = 32 << 10

func (c copied) refresh() error {
	from, err := unix.Open("/proc/self/fd/"+strconv.Itoa(c.from), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	text, n := make([]byte, limit), 0
	for more := 1; more > 0 && n < limit; n += more {
		if more, err = unix.Read(from, text[n:]); err != nil {
			return err
		}
	}
	if _, err := c.to.WriteAt(text[:n], 0); err != nil {
		return err
	}
	return c.to.Truncate(int64(n))
}

// pause is how old the text may be for a reader that comes while another one is
// there.
const pause = 100 * time.Millisecond

// serve has whoever opens the file wait until it is up to date, by a lease
// (fcntl(2)): the kernel tells its holder, and lets the other in when it is given up.
// There is none to be had while somebody has the file open, who may read it again
// and again; until then it is kept up to date by the clock. Nothing is done in a
// sandbox in which nobody looks.
func (c copied) serve() {
	wanted := make(chan os.Signal, 1)
	signal.Notify(wanted, syscall.SIGIO)
	for ; ; time.Sleep(pause) {
		leased := setLease(c.to, unix.F_WRLCK) == nil
		if leased {
			<-wanted
		}
		_ = c.refresh() // what it was is the best there is
		if leased {
			_ = setLease(c.to, unix.F_UNLCK)
		}
	}
}

func setLease(f *os.File, kind int) error {
	_, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, kind)
	return err
}
