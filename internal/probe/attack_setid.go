package main

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// setIDAttempts leave programs in a writable folder of the host that would run there
// as the one whom they belong to.
func setIDAttempts() (list []attempt) {
	const dir = "/data"
	for name, mode := range map[string]uint32{"user": unix.S_ISUID | 0o755, "group": unix.S_ISGID | 0o755} {
		add := func(how string, want unix.Errno, try func(dir string) error) {
			list = append(list, attempt{name: "set-" + name + "-id by " + how, want: []unix.Errno{want}, try: func() error {
				own, err := os.MkdirTemp(dir, "setid-")
				if err != nil {
					return err
				}
				defer os.RemoveAll(own)
				return try(own + "/file")
			}})
		}
		add("chmod", unix.EPERM, func(path string) error { return made(path, func(int) error { return unix.Chmod(path, mode) }) })
		add("fchmod", unix.EPERM, func(path string) error { return made(path, func(fd int) error { return unix.Fchmod(fd, mode) }) })
		add("fchmodat2", unix.EPERM, func(path string) error {
			return made(path, func(int) error { return unix.Fchmodat(unix.AT_FDCWD, path, mode, unix.AT_SYMLINK_NOFOLLOW) })
		})
		add("open", unix.EPERM, func(path string) error {
			return closed(unix.Open(path, unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, mode))
		})
		add("a nameless file", unix.EPERM, func(string) error { return closed(unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, mode)) })
		add("openat2", unix.ENOSYS, func(path string) error {
			return closed(unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{Flags: unix.O_CREAT | unix.O_WRONLY | unix.O_CLOEXEC, Mode: uint64(mode)}))
		})
		add("mknod", unix.EPERM, func(path string) error { return unix.Mknod(path, unix.S_IFREG|mode, 0) })
	}
	return list
}

// boundAttempts write more to the host than they may.
func boundAttempts() []attempt {
	const dir, most = "/bounded", 64 << 20 // four times what it has
	return []attempt{{name: "write more than a bounded folder holds", want: []unix.Errno{unix.ENOSPC}, try: func() error {
		f, err := os.Create(dir + "/full")
		if errors.Is(err, fs.ErrNotExist) {
			return errUnseen
		}
		if err != nil {
			return err
		}
		defer f.Close()
		block := make([]byte, 1<<20)
		for written := 0; written < most; written += len(block) {
			block[0]++ // or it may be a hole
			if _, err := f.Write(block); err != nil {
				return err
			}
		}
		return f.Sync()
	}}}
}

// made does something to a new file.
func made(path string, do func(fd int) error) error {
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o755)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return do(fd)
}

func closed(fd int, err error) error {
	if err == nil {
		unix.Close(fd)
	}
	return err
}
