package tracer

import (
	"encoding/binary"
	"fmt"
	"os"
	"path"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/observed"
	"github.com/sbx-dev/sbx/internal/syscalls"
)

// The most that a record holds: who is watched is hostile.
const (
	maxSeen = 20000    // things
	maxText = 16 << 20 // bytes of paths
)

// call is a system call that has begun, and what is to be noted at its end.
type call struct {
	name  string
	args  [6]uint64
	paths []named
}

// named is a path that a call has named.
type named struct {
	path  string
	write bool
}

// info is the part of the kernel's struct ptrace_syscall_info that is used here
// (ptrace(2), PTRACE_GET_SYSCALL_INFO).
type info struct {
	op   uint8
	_    [3]uint8
	arch uint32
	_    [2]uint64 // where in the program
	rest [8]uint64
}

const (
	begins = 1 // PTRACE_SYSCALL_INFO_ENTRY: rest is the number and the arguments
	ends   = 2 // PTRACE_SYSCALL_INFO_EXIT: rest is what it gives
)

// syscall notes a call that begins or ends.
func (t *Tracer) syscall(tid int, on *task) {
	var i info
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid), unsafe.Sizeof(i), uintptr(unsafe.Pointer(&i)), 0, 0); errno != 0 {
		return
	}
	switch i.op {
	case begins:
		on.call = nil
		name := syscalls.Name(runtime.GOARCH, int(i.rest[0]))
		if !on.command && name != "execve" { // what happens between fork and execute is sbx-init's
			return
		}
		c := &call{name: name}
		copy(c.args[:], i.rest[1:7])
		c.paths = t.pathsOf(tid, c)
		on.call = c
		t.begun(tid, on, c)
	case ends:
		if c := on.call; c != nil {
			on.call = nil
			t.ended(tid, on, c, int64(i.rest[0]))
		}
	}
}

// ended notes a call with what the kernel has answered.
func (t *Tracer) ended(tid int, on *task, c *call, answer int64) {
	failed := ""
	if answer < 0 && answer > -4096 {
		errno := unix.Errno(-answer)
		if failed = unix.ErrnoName(errno); failed == "" || errno == unix.EINTR { // the kernel's own: it begins anew
			return
		}
	}
	for _, p := range c.paths {
		t.note(observed.Path{Program: t.program(tid, on), Call: c.name, Path: p.path, Write: p.write, Error: failed})
	}
	switch {
	case failed == "" && (c.name == "listen" || c.name == "bind"):
		t.listens(tid, on, c)
	}
	switch {
	case failed == "EPERM", failed == "EACCES" && c.name == "bind", failed == "ENOSYS", strings.HasSuffix(failed, "NOSUPPORT"):
		t.note(observed.Call{Program: t.program(tid, on), Name: c.name, Args: c.told(), Port: t.port(tid, c), Error: failed})
	case failed == "" && privileged[c.name]:
		t.note(observed.Call{Program: t.program(tid, on), Name: c.name, Port: t.port(tid, c)})
	}
	if args := c.told(); t.closed != nil && t.closed(c.name, args) {
		t.note(observed.Call{Program: t.program(tid, on), Name: c.name, Args: args, Error: failed})
	}
}

// privileged are calls whose success may have taken a capability.
var privileged = map[string]bool{
	"bind": true, "chown": true, "chroot": true, "fchown": true, "fchownat": true, "lchown": true,
	"setgid": true, "setgroups": true, "setregid": true, "setresgid": true, "setfsgid": true,
	"setuid": true, "setreuid": true, "setresuid": true, "setfsuid": true,
	"adjtimex": true, "clock_adjtime": true, "clock_settime": true, "settimeofday": true,
	"mlock": true, "mlockall": true, "mknod": true, "mknodat": true, "prlimit64": true, "setrlimit": true,
}

// told are the arguments by which a filter of system calls decides. Addresses differ each
// time, and the filter cannot look at what stands there.
func (c *call) told() (args [6]uint64) {
	for i, a := range c.args {
		if a <= 1<<32-1 {
			args[i] = a
		}
	}
	return args
}

// note puts what has been seen into the record, once.
func (t *Tracer) note(what any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	path, _ := what.(observed.Path)
	switch {
	case t.seen[what]:
		return
	case len(t.seen) >= maxSeen, t.text+len(path.Path) > maxText:
		t.record.Lost++
		return
	}
	t.seen[what] = true
	t.text += len(path.Path)
	switch w := what.(type) {
	case observed.Path:
		t.record.Paths = append(t.record.Paths, w)
	case observed.Socket:
		t.record.Sockets = append(t.record.Sockets, w)
	case observed.Call:
		t.record.Calls = append(t.record.Calls, w)
	}
}

// program is the name of the thread's process, as it was when it was first asked for.
func (t *Tracer) program(tid int, on *task) string {
	if on.program == "" {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", tid))
		if err != nil {
			return "?"
		}
		on.program = strings.TrimSuffix(string(name), "\n")
	}
	return on.program
}

// pathCall is where in a call's arguments its paths stand.
type pathCall struct {
	at    []int // the paths
	from  []int // the folders that relative ones begin at; none: the working directory
	flags int   // of open; 0: none
	write bool
}

var pathCalls = map[string]pathCall{
	"open":              {at: []int{0}, flags: 1},
	"openat":            {at: []int{1}, from: []int{0}, flags: 2},
	"openat2":           {at: []int{1}, from: []int{0}},
	"creat":             {at: []int{0}, write: true},
	"execve":            {at: []int{0}},
	"execveat":          {at: []int{1}, from: []int{0}},
	"access":            {at: []int{0}},
	"faccessat":         {at: []int{1}, from: []int{0}},
	"faccessat2":        {at: []int{1}, from: []int{0}},
	"stat":              {at: []int{0}},
	"lstat":             {at: []int{0}},
	"newfstatat":        {at: []int{1}, from: []int{0}},
	"statx":             {at: []int{1}, from: []int{0}},
	"statfs":            {at: []int{0}},
	"readlink":          {at: []int{0}},
	"readlinkat":        {at: []int{1}, from: []int{0}},
	"chdir":             {at: []int{0}},
	"chroot":            {at: []int{0}},
	"inotify_add_watch": {at: []int{1}},
	"getxattr":          {at: []int{0}},
	"lgetxattr":         {at: []int{0}},
	"mkdir":             {at: []int{0}, write: true},
	"mkdirat":           {at: []int{1}, from: []int{0}, write: true},
	"mknod":             {at: []int{0}, write: true},
	"mknodat":           {at: []int{1}, from: []int{0}, write: true},
	"unlink":            {at: []int{0}, write: true},
	"unlinkat":          {at: []int{1}, from: []int{0}, write: true},
	"rmdir":             {at: []int{0}, write: true},
	"rename":            {at: []int{0, 1}, write: true},
	"renameat":          {at: []int{1, 3}, from: []int{0, 2}, write: true},
	"renameat2":         {at: []int{1, 3}, from: []int{0, 2}, write: true},
	"link":              {at: []int{1}, write: true},
	"linkat":            {at: []int{3}, from: []int{2}, write: true},
	"symlink":           {at: []int{1}, write: true},
	"symlinkat":         {at: []int{2}, from: []int{1}, write: true},
	"truncate":          {at: []int{0}, write: true},
	"chmod":             {at: []int{0}, write: true},
	"fchmodat":          {at: []int{1}, from: []int{0}, write: true},
	"fchmodat2":         {at: []int{1}, from: []int{0}, write: true},
	"chown":             {at: []int{0}, write: true},
	"lchown":            {at: []int{0}, write: true},
	"fchownat":          {at: []int{1}, from: []int{0}, write: true},
	"utimensat":         {at: []int{1}, from: []int{0}, write: true},
}

// writing are the flags of open that change something.
const writing = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC

// pathsOf are the paths that the call names.
func (t *Tracer) pathsOf(tid int, c *call) (list []named) {
	how, ok := pathCalls[c.name]
	if !ok {
		return t.unixPath(tid, c)
	}
	write := how.write || how.flags != 0 && c.args[how.flags]&writing != 0
	for i, at := range how.at {
		text := t.textAt(tid, c.args[at])
		if text == "" {
			continue
		}
		from := int64(unix.AT_FDCWD)
		if how.from != nil {
			from = int64(int32(c.args[how.from[i]]))
		}
		if text = inside(tid, text, from); text != "" {
			list = append(list, named{text, write})
		}
	}
	return list
}

// inside is a path as the sandbox has it that a thread has named, from the folder of a
// descriptor where it is relative; empty where that has none.
func inside(tid int, text string, from int64) string {
	if text[0] != '/' {
		base := folder(tid, from)
		if base == "" {
			return ""
		}
		text = base + "/" + text
	} else if root, err := os.Readlink(fmt.Sprintf("/proc/%d/root", tid)); err == nil {
		text = root + text // after chroot(2)
	}
	return path.Clean(text)
}

// folder is the path of a descriptor, or of the working directory; empty if there is none.
func folder(tid int, fd int64) string {
	link := fmt.Sprintf("/proc/%d/cwd", tid)
	if fd != unix.AT_FDCWD {
		link = fmt.Sprintf("/proc/%d/fd/%d", tid, fd)
	}
	at, err := os.Readlink(link)
	if err != nil || !strings.HasPrefix(at, "/") {
		return ""
	}
	return at
}

// textAt is the text at an address of the thread's memory; empty if there is none.
func (t *Tracer) textAt(tid int, address uint64) string {
	var text []byte
	for len(text) < unix.PathMax {
		data := t.read(tid, address, int(pageSize-address%pageSize))
		if i := strings.IndexByte(string(data), 0); i >= 0 {
			return string(append(text, data[:i]...))
		}
		if len(data) == 0 {
			return ""
		}
		text, address = append(text, data...), address+uint64(len(data))
	}
	return ""
}

// pageSize is what every page of memory begins at a multiple of, on each architecture.
const pageSize = 4096

// read gives so many bytes of the thread's memory, or fewer; none where that is held up.
func (t *Tracer) read(tid int, address uint64, size int) []byte {
	data, n := make([]byte, size), 0
	done := t.within(func() {
		n, _ = unix.ProcessVMReadv(tid, []unix.Iovec{{Base: &data[0], Len: uint64(size)}}, []unix.RemoteIovec{{Base: uintptr(address), Len: size}}, 0)
	})
	if !done {
		t.lose()
		return nil
	}
	return data[:max(n, 0)]
}

// lose counts something that could not be looked at.
func (t *Tracer) lose() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.record.Lost++
}

// number is a number as the kernel's structures have it.
func number(data []byte) uint64 {
	var full [8]byte
	copy(full[:], data)
	return binary.LittleEndian.Uint64(full[:])
}
