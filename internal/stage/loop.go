package stage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/hostpath"
)

// attachLoop gives the block device that is the file. A file that is one already, for
// what else has the volume mounted, must not become two: each would have its own idea of
// what is written. The device goes with the last mount of it.
func attachLoop(image *os.File) (*os.File, error) {
	device, err := attached(image)
	if device == nil && err == nil {
		device, err = attachFree(image)
	}
	return device, err
}

// attached finds the device that is the file already; nil if none is.
func attached(image *os.File) (*os.File, error) {
	var file unix.Stat_t
	if err := unix.Fstat(int(image.Fd()), &file); err != nil {
		return nil, err
	}
	used, err := filepath.Glob("/sys/block/loop*/loop")
	if err != nil {
		return nil, err
	}
	for _, path := range used {
		device, err := os.OpenFile("/dev/"+filepath.Base(filepath.Dir(path)), os.O_RDWR, 0)
		if err != nil {
			continue // it is not to be had here
		}
		info, err := unix.IoctlLoopGetStatus64(int(device.Fd()))
		if err == nil && info.Device == file.Dev && info.Inode == file.Ino && info.Offset == 0 {
			return device, nil
		}
		device.Close()
	}
	return nil, nil
}

// attachFree makes a device that nobody uses be the file.
func attachFree(image *os.File) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	backing, err := os.OpenFile(hostpath.Descriptor(image), os.O_RDWR, 0) // the device keeps it open, and image's lock is not to stay
	if err != nil {
		return nil, err
	}
	defer backing.Close()
	for {
		number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, os.NewSyscallError("LOOP_CTL_GET_FREE", err)
		}
		device, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", number), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		config := unix.LoopConfig{Fd: uint32(backing.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
		err = unix.IoctlLoopConfigure(int(device.Fd()), &config)
		if err == nil {
			return device, nil
		}
		device.Close()
		if !errors.Is(err, unix.EBUSY) { // somebody else was quicker
			return nil, os.NewSyscallError("LOOP_CONFIGURE", err)
		}
	}
}

// mountDevice mounts a volume's device anew, nowhere yet. All mounts of it are of one
// file system. What is removed there is given back to the host.
func mountDevice(device *os.File) (*os.File, error) {
	fs, err := unix.Fsopen("ext4", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, tell("fsopen", err)
	}
	defer unix.Close(fs)
	if err := errors.Join(unix.FsconfigSetString(fs, "source", device.Name()), unix.FsconfigSetFlag(fs, "discard"), unix.FsconfigCreate(fs)); err != nil {
		return nil, fmt.Errorf("cannot be mounted as ext4: %w", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, always)
	if err != nil {
		return nil, tell("fsmount", err)
	}
	return os.NewFile(uintptr(fd), device.Name()), nil
}
