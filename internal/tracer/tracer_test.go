package tracer

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/observed"
)

// patience is how long anything may take that these tests wait for.
const patience = 2 * time.Minute

// TestMain is also the program that tests watch: what it does under a name of doings.
func TestMain(m *testing.M) {
	if do := doings[os.Getenv("SBX_TEST_DO")]; do != nil {
		do()
		return
	}
	os.Exit(m.Run())
}

// hidden is how many processes there are of one that hides where they come from, and hide
// is what each opens.
const hidden = 300

func hide(dir string, i int) string { return filepath.Join(dir, strconv.Itoa(i)) }

var doings = map[string]func(){
	"listen": func() {
		l, err := net.Listen("tcp", os.Getenv("SBX_TEST_AT"))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		l.Close()
	},
	"connect": func() {
		if conn, err := net.Dial("tcp", os.Getenv("SBX_TEST_AT")); err == nil {
			conn.Close()
		}
	},
	// Sockets of folders are made, connected to and sent to; a call is made that is closed.
	"speak": func() {
		_ = os.Chdir(os.Getenv("SBX_TEST_AT"))
		if l, err := net.Listen("unix", "made"); err == nil {
			l.Close()
		}
		absent := &unix.SockaddrUnix{Name: "absent"}
		stream, _ := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		_ = unix.Connect(stream, absent)
		datagrams, _ := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
		_ = unix.Sendto(datagrams, []byte("x"), 0, absent)
		_, _ = unix.SendmsgN(datagrams, []byte("x"), nil, absent, 0)
		_ = unix.Connect(stream, &unix.SockaddrUnix{Name: "@of no folder"})
		_ = unix.Unshare(unix.CLONE_NEWUTS)
	},
	"chown": func() { _ = os.Chown(os.Getenv("SBX_TEST_AT"), 1, 1) },
	// Processes open a file each whose parent is not the one that made them. Some run on
	// another processor before who made them has gone on.
	"hide": func() {
		var names [hidden]*byte
		for i := range names {
			names[i] = unsafe.StringData(hide(os.Getenv("SBX_TEST_AT"), i) + "\x00")
		}
		here := unix.AT_FDCWD
		for _, name := range names {
			if child, _, _ := unix.RawSyscall6(unix.SYS_CLONE, unix.CLONE_PARENT|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0); child == 0 {
				unix.RawSyscall6(unix.SYS_OPENAT, uintptr(here), uintptr(unsafe.Pointer(name)), 0, 0, 0, 0)
				unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
			}
		}
	},
	// A thread names a path in memory that nobody ever fills in, and another one ends it.
	"hold": func() {
		const nonblocking, api, register = unix.O_NONBLOCK, 0xc018aa3f, 0xc020aa00 // ioctl_userfaultfd(2)
		memory, err := unix.Mmap(-1, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			panic(err)
		}
		at := uintptr(unsafe.Pointer(&memory[0]))
		fd, _, _ := unix.Syscall(unix.SYS_USERFAULTFD, nonblocking, 0, 0)
		agreed := []uint64{0xaa, 0, 0}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, fd, api, uintptr(unsafe.Pointer(&agreed[0])))
		with := []uint64{uint64(at), pageSize, 1, 0}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, register, uintptr(unsafe.Pointer(&with[0]))); errno != 0 {
			fmt.Fprintln(os.Stderr, "without userfaultfd:", errno)
			return
		}
		here := unix.AT_FDCWD
		go func() { _, _, _ = unix.Syscall6(unix.SYS_OPENAT, uintptr(here), at, 0, 0, 0, 0) }()
		time.Sleep(100 * time.Millisecond)
		_ = os.WriteFile(os.Getenv("SBX_TEST_AT"), nil, 0o644)
	},
	// A thread other than a process's first executes another program.
	"execute": func() {
		for {
			go func() {
				runtime.LockOSThread()
				if unix.Gettid() != unix.Getpid() {
					_ = unix.Exec("/bin/cat", []string{"cat", os.Getenv("SBX_TEST_AT")}, nil)
				}
				select {}
			}()
			time.Sleep(10 * time.Millisecond)
		}
	},
}

// watch has a shell run the script once it is watched, as a first process runs commands.
func watch(t *testing.T, script string, env ...string) observed.Record {
	t.Helper()
	first := exec.Command("/bin/sh", "-c", "read go\n"+script)
	first.Env = append(os.Environ(), env...)
	first.Stderr = os.Stderr
	begin, err := first.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	tracer, err := Follow(first.Process.Pid)
	begin.Close()
	if err != nil {
		_ = first.Process.Kill()
		t.Fatal(err)
	}
	select {
	case <-tracer.done:
	case <-time.After(patience):
		_ = first.Process.Kill()
		t.Errorf("what is watched has not ended: %s", script)
	}
	if left := len(tracer.tasks); left != 0 && !t.Failed() {
		t.Errorf("%d threads are kept for ever: %s", left, script)
	}
	if left := len(tracer.unborn); left != 0 {
		t.Errorf("%d threads stand still for ever: %s", left, script)
	}
	_ = first.Wait() // not before: it would take what is the tracer's to wait for
	return tracer.Record(patience)
}

// Paths are noted with what the kernel said, as absolute ones whatever they are relative
// to, for all that comes from a command; what the first process itself does is not.
func TestPaths(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"there", "own"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	seen := watch(t, `read line <"$DIR/own"
		/bin/sh -c 'cd "$DIR"; cat there ../absent; : >new/file; exit 0'; :`, "DIR="+dir)
	for _, want := range []observed.Path{
		{Program: "cat", Call: "openat", Path: filepath.Join(dir, "there")},
		{Program: "cat", Call: "openat", Path: filepath.Join(filepath.Dir(dir), "absent"), Error: "ENOENT"},
		{Program: "sh", Call: "openat", Path: filepath.Join(dir, "new/file"), Write: true, Error: "ENOENT"},
	} {
		if !slices.Contains(seen.Paths, want) {
			t.Errorf("not seen: %+v in %+v", want, seen.Paths)
		}
	}
	for _, p := range seen.Paths {
		if p.Path == filepath.Join(dir, "own") {
			t.Errorf("the first process's own: %+v", p)
		}
	}
}

// What comes from a command is watched whatever it makes of its parents, and a
// thread is forgotten that has become its process's first.
func TestWhoSeemsAnother(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var each []string
	for i := range hidden {
		each = append(each, hide(dir, i))
	}
	for do, opens := range map[string][]string{"hide": each, "execute": {dir}} {
		t.Run(do, func(t *testing.T) {
			seen := watch(t, `SBX_TEST_DO="$DO" SBX_TEST_AT="$DIR" "$SELF"; :`, "DO="+do, "SELF="+self, "DIR="+dir)
			for _, file := range opens {
				if !slices.ContainsFunc(seen.Paths, func(p observed.Path) bool { return p.Path == file }) {
					t.Errorf("that it opened %s is not seen", file)
				}
			}
		})
	}
}

// Addresses are noted where a program listens and where it sends to.
func TestSockets(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	seen := watch(t, `SBX_TEST_DO=listen SBX_TEST_AT=127.0.0.1:0 "$SELF"; SBX_TEST_DO=connect SBX_TEST_AT=127.0.0.1:1 "$SELF"; :`, "SELF="+self)
	if len(seen.Sockets) != 1 || !seen.Sockets[0].Listens || seen.Sockets[0].Addr.Addr().String() != "127.0.0.1" || seen.Sockets[0].Proto != "tcp" {
		t.Errorf("want one that listens, and none to the own machine: %+v", seen.Sockets)
	}
}

// A socket of a folder is a path to whoever makes it and whoever speaks with it, and a call
// that is closed to sandboxes is noted when it is made, with what decides about it.
func TestUnixSocketsAndClosedCalls(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	seen := watch(t, `SBX_TEST_DO=speak SBX_TEST_AT="$DIR" "$SELF"; :`, "SELF="+self, "DIR="+dir)
	var spoke []string
	for _, p := range seen.Paths {
		if slices.Contains([]string{"bind", "connect", "sendto", "sendmsg"}, p.Call) {
			spoke = append(spoke, fmt.Sprintf("%s %s %v %s", p.Call, strings.TrimPrefix(p.Path, dir), p.Write, p.Error))
		}
	}
	if want := []string{"connect /absent false ENOENT", "sendmsg /absent false ENOENT", "sendto /absent false ENOENT", "bind /made true "}; !slices.Equal(spoke, want) {
		t.Errorf("seen of sockets: %q, want %q", spoke, want)
	}
	if !slices.ContainsFunc(seen.Calls, func(c observed.Call) bool { return c.Name == "unshare" && c.Args[0] == unix.CLONE_NEWUTS }) {
		t.Errorf("no unshare in %+v", seen.Calls)
	}
}

// A call whose success takes a capability is noted, and one that is refused.
func TestCalls(t *testing.T) {
	if unix.Geteuid() != 0 {
		t.Skip("root's: it changes an owner")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	seen := watch(t, `SBX_TEST_DO=chown SBX_TEST_AT="$FILE" "$SELF"; SBX_TEST_DO=chown SBX_TEST_AT="$FILE" setpriv --bounding-set -chown --no-new-privs --inh-caps -chown "$SELF"; :`, "SELF="+self, "FILE="+file)
	var answers []string
	for _, c := range seen.Calls {
		if c.Name == "fchownat" || c.Name == "chown" {
			answers = append(answers, c.Error)
		}
	}
	slices.Sort(answers)
	if !slices.Equal(answers, []string{"", "EPERM"}) {
		t.Errorf("the changes of the owner that are seen give %q, want one that works and one that is refused: %+v", answers, seen.Calls)
	}
}

// Who is watched and has a page that is never filled in read does not hold the watch up:
// what it does besides is seen, and that something was not is told.
func TestHeldMemory(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, 0, 0, 0); errno != 0 {
		t.Skip("this kernel gives no userfaultfd: ", errno)
	} else {
		unix.Close(int(fd))
	}
	file := filepath.Join(t.TempDir(), "file")
	seen := watch(t, `SBX_TEST_DO=hold SBX_TEST_AT="$FILE" "$SELF"; :`, "SELF="+self, "FILE="+file)
	if !slices.ContainsFunc(seen.Paths, func(p observed.Path) bool { return p.Path == file && p.Write }) || seen.Lost == 0 {
		t.Errorf("lost %d; want something, and %s in %+v", seen.Lost, file, seen.Paths)
	}
}

// What is held up is waited for for a time, and no more than so many times.
func TestHelpers(t *testing.T) {
	h, release := make(helpers, maxHeld), make(chan struct{})
	for range maxHeld {
		h <- struct{}{} // all but one
	}
	if begun := make(chan struct{}, 1); h.within(func() { begun <- struct{}{} }) || len(begun) != 0 {
		t.Error("one too many was begun")
	}
	<-h
	if h.within(func() { <-release }) {
		t.Error("what is held up was done")
	}
	if h.within(func() {}) {
		t.Error("one too many was begun beside the one that is held up")
	}
	close(release)
	deadline := time.Now().Add(patience)
	for !h.within(func() {}) {
		if time.Now().After(deadline) {
			t.Fatal("what was held up has ended, and nothing can be begun")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A record ends where its paths fill more memory than it may, and tells what it left out.
func TestMemory(t *testing.T) {
	tracer := &Tracer{seen: map[any]bool{}}
	long := strings.Repeat("x", unix.PathMax-10)
	for i := range maxSeen {
		tracer.note(observed.Path{Path: fmt.Sprint("/", i, long)})
	}
	size := 0
	for _, p := range tracer.record.Paths {
		size += len(p.Path)
	}
	if size > maxText || size < maxText/2 || tracer.record.Lost != maxSeen-len(tracer.record.Paths) {
		t.Errorf("it holds %d bytes of %d paths, and lost %d", size, len(tracer.record.Paths), tracer.record.Lost)
	}
}
