package privilege

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/syscalls"
)

// Filter closes system calls, for good and for all that is forked afterwards. It
// takes no_new_privs, which Confine sets.
type Filter []unix.SockFilter

// NewFilter writes the filter that opens the words of package syscalls, besides what
// is open to everyone.
func NewFilter(words []string) (Filter, error) {
	program, err := syscalls.Program(runtime.GOARCH, words)
	if err != nil {
		return nil, err
	}
	f := make(Filter, len(program))
	for i, in := range program {
		f[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return f, nil
}

// Thread sets the filter on this thread.
func (f Filter) Thread() error { return f.set(0) }

// Process sets the filter on all threads of this process.
func (f Filter) Process() error { return f.set(unix.SECCOMP_FILTER_FLAG_TSYNC) }

func (f Filter) set(flags uintptr) error {
	program := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	switch {
	case errno == unix.ENOSYS || errno == unix.EINVAL:
		return fmt.Errorf("the kernel has no filters of system calls (CONFIG_SECCOMP_FILTER): %w", errno)
	case errno != 0:
		return fmt.Errorf("cannot set the filter of system calls: %w", errno)
	case thread != 0:
		return errors.New("cannot set the filter of system calls: a thread has another one")
	}
	return nil
}
