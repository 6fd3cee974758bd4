// Package input reads a process's standard input no further than somebody else
// does: a command in a sandbox, which may read nothing, or a line, of what the
// next command of a script is to read.
//
// From a pipe, a file or a stream socket it reads without taking: what it gave
// stays there until Take says that the command has read it. A terminal cannot be
// read so. One line at most is taken from it ahead of the command, and none while
// this process is in the background (credentials(7), "Sessions and process
// groups"): it waits there rather than be stopped. Everything else is read as it
// comes.
package input

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Input is a standard input. One goroutine reads; another may Take and Close.
type Input interface {
	io.Reader
	// Take says that the next n bytes of what Read gave have been read.
	Take(n int)
	// Close ends a Read that waits, and every later one. The file stays open.
	Close()
}

// Open prepares to read a file by what it is.
func Open(f *os.File) (Input, error) {
	fd, err := descriptor(f)
	if err != nil {
		return nil, err
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFBLK:
		return openFile(fd)
	case unix.S_IFIFO:
		return openPipe(fd)
	case unix.S_IFSOCK:
		return openSocket(fd)
	}
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
		return openTerminal(fd)
	}
	return openPlain(fd)
}

// descriptor is the file's, which stays in whatever mode it is: os.File.Fd would
// change that for everybody who shares it.
func descriptor(f *os.File) (fd int, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	if end := conn.Control(func(d uintptr) { fd = int(d) }); end != nil {
		return -1, end
	}
	return fd, nil
}
