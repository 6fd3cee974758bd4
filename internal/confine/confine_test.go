package confine_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/confine"
)

// helper is the id of the processes that these tests confine.
const helper = 0x70123456

// inside says that this is such a process, and which.
const inside = "SBX_CONFINE_TEST"

func TestMain(m *testing.M) {
	if kind := os.Getenv(inside); kind != "" {
		attack(kind)
		return
	}
	os.Exit(m.Run())
}

// The descriptors that the process is started with.
const (
	folderFD   = 3
	listenerFD = 4
	leakedFD   = 5
)

// attack confines this process as the kind is, and prints of each thing that it then
// tries whether it worked.
func attack(kind string) {
	own := os.NewFile(folderFD, "folder")
	switch kind {
	case "locked":
		attackLocks(own)
		return
	case "guard":
		attackCapability(own)
		return
	}
	c := confine.Confinement{ID: helper, Files: 2, Calls: confine.Sockets, FileSize: 1 << 16}
	if kind == "writer" {
		c.Folder, c.Calls = own, append(c.Calls, confine.Rotating...)
	}
	if err := confine.Enter(c); err != nil {
		fmt.Println("enter:", err)
		return
	}
	try := func(what string, err error) { fmt.Printf("%s: %v\n", what, err) }
	open := func(dir int, path string) error { return opens(dir, path, unix.O_CREAT|unix.O_WRONLY) }
	_, err := own.WriteAt(nil, 0)
	try("no call that is not its own", err)
	_, err = unix.FcntlInt(leakedFD, unix.F_GETFD, 0)
	try("what was left open", err)
	try("its folder", open(folderFD, "own"))
	try("its files are bounded", errors.Join(open(folderFD, "big"), truncated(folderFD)))
	try("rename there", unix.Renameat(folderFD, "own", folderFD, "renamed"))
	try("above its folder", open(folderFD, "../../escaped"))
	try("/tmp", open(unix.AT_FDCWD, "/tmp/"+os.Getenv("SBX_CONFINE_NAME")+"-new"))
	try("/etc/passwd", func() error { _, err := os.ReadFile("/etc/passwd"); return err }())
	try("a link", unix.Symlinkat("/etc", folderFD, "link"))
	try("a FIFO", unix.Mknodat(folderFD, "fifo", unix.S_IFIFO|0o600, 0))
	try("a folder", unix.Mkdirat(folderFD, "dir", 0o700))
	try("a program", exec.Command("/bin/true").Run())
	try("another process", func() error {
		_, _, errno := unix.RawSyscall(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0)
		return errnoOf(errno)
	}())
	try("a socket", func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); return err }())
	try("root again", unix.Setresuid(0, 0, 0))
	try("a mount", unix.Mount("none", "/", "tmpfs", 0, ""))
	try("ptrace", func() error { return unix.PtraceAttach(os.Getppid()) }())
	try("its listener", func() error {
		l, err := net.FileListener(os.NewFile(listenerFD, "listener"))
		if err != nil {
			return err
		}
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		_, err = conn.Write([]byte("hello"))
		return errors.Join(err, conn.Close())
	}())
	fmt.Println("ready")
	_, _ = os.Stdin.Read(make([]byte, 1)) // until its state has been looked at
}

// attackLocks makes calls that the process may make, on what is not its own.
func attackLocks(own *os.File) {
	var allowed, other uint16
	if _, err := fmt.Sscanf(os.Getenv("SBX_CONFINE_PORTS"), "%d %d", &allowed, &other); err != nil {
		fmt.Println("enter:", err)
		return
	}
	c := confine.Confinement{Files: 2, Folder: own, Connects: []uint16{allowed}, Calls: slices.Concat(confine.Sockets, confine.Passing, confine.Rotating)}
	if os.Geteuid() == 0 {
		c.ID = helper
	}
	etc, err := os.Open("/etc") // a way out of its root, which the process would have to be left
	if err != nil {
		fmt.Println("enter:", err)
		return
	}
	if err := confine.Enter(c); err != nil {
		fmt.Println("enter:", err)
		return
	}
	try := func(what string, err error) { fmt.Printf("%s: %v\n", what, err) }
	try("its folder", opens(folderFD, "own", unix.O_CREAT|unix.O_WRONLY))
	try("another folder", opens(int(etc.Fd()), "passwd", unix.O_RDONLY))
	try("its port", connect(allowed))
	try("another port", connect(other))
	try("a socket of the host's", func() error { _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err }())
	try("a packet socket", func() error { _, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); return err }())
	fmt.Println("ready")
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// attackCapability tries what one could do with CAP_NET_ADMIN and other calls, and with
// other capabilities.
func attackCapability(own *os.File) {
	earlier, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err == nil {
		err = confine.Enter(confine.Confinement{ID: helper, Files: 2, Folder: own, NetAdmin: true, Calls: slices.Concat(confine.Sockets, confine.Rotating, []string{"bind"})})
	}
	if err != nil {
		fmt.Println("enter:", err)
		return
	}
	try := func(what string, err error) { fmt.Printf("%s: %v\n", what, err) }
	try("the packet filter", asksFilter())
	try("the routes", netlinkSocket(unix.NETLINK_ROUTE))
	try("a socket", func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0); return err }())
	try("a packet socket", func() error { _, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); return err }())
	try("an interface", func() error {
		name, err := unix.NewIfreq("lo")
		if err != nil {
			return err
		}
		name.SetUint16(0)
		return unix.IoctlIfreq(earlier, unix.SIOCSIFFLAGS, name)
	}())
	try("a network namespace", unix.Unshare(unix.CLONE_NEWNET))
	try("more capabilities", func() error {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		all := [2]unix.CapUserData{{Effective: ^uint32(0), Permitted: ^uint32(0)}, {}}
		return unix.Capset(&header, &all[0])
	}())
	try("root again", unix.Setresuid(0, 0, 0))
	try("root's files", opens(folderFD, "../../escaped", unix.O_CREAT|unix.O_WRONLY))
	try("a program", exec.Command("/bin/true").Run())
	fmt.Println("ready")
	_, _ = os.Stdin.Read(make([]byte, 1))
}

func netlinkSocket(family int) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, family)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// asksFilter asks the kernel for the number of its rules' generation, which it tells
// those alone that have CAP_NET_ADMIN.
func asksFilter() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	const size = unix.NLMSG_HDRLEN + 4
	ask := binary.NativeEndian.AppendUint32(nil, size)
	ask = binary.NativeEndian.AppendUint16(ask, unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN)
	ask = binary.NativeEndian.AppendUint16(ask, unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	ask = append(ask, make([]byte, 12)...)
	if err := unix.Sendto(fd, ask, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err == nil && n >= size && binary.NativeEndian.Uint16(answer[4:]) == unix.NLMSG_ERROR {
		err = errnoOf(unix.Errno(-int32(binary.NativeEndian.Uint32(answer[unix.NLMSG_HDRLEN:]))))
	}
	return err
}

func opens(dir int, name string, flags int) error {
	fd, err := unix.Openat(dir, name, flags, 0o600)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func connect(port uint16) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}})
}

// truncated tries to make a file longer than the process may.
func truncated(dir int) error {
	fd, err := unix.Openat(dir, "big", unix.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, make([]byte, 1<<17))
	if err != nil {
		return err
	}
	n, _ := unix.Seek(fd, 0, unix.SEEK_END)
	if n > 1<<16 {
		return fmt.Errorf("it has %d bytes", n)
	}
	return nil
}

func errnoOf(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// What a helper tries beyond its descriptors fails, whichever kind it is, and the
// kernel says of all its threads that it has nothing else.
func TestConfined(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for kind, works := range map[string][]string{
		"writer":  {"its folder", "its files are bounded", "rename there", "above its folder", "its listener"},
		"speaker": {"its listener"},
	} {
		t.Run(kind, func(t *testing.T) {
			got, shared, pid, end := start(t, kind, "")
			defer end()
			for line := range strings.Lines(got) {
				what, err, _ := strings.Cut(strings.TrimSpace(line), ": ")
				want := what == "no call that is not its own" || slices.Contains(works, what)
				if worked := err == "<nil>"; worked != want {
					t.Errorf("%s: %s", what, err)
				}
			}
			if strings.Count(got, "\n") < 18 {
				t.Errorf("it ended early:\n%s", got)
			}
			// What it wrote anywhere is in its own folder, which it takes for all.
			for _, elsewhere := range []string{shared + "/deep/escaped", shared + "/escaped", "/tmp/" + filepath.Base(shared) + "-new"} {
				if _, err := os.Lstat(elsewhere); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s: %v", elsewhere, err)
				}
			}
			checkThreads(t, pid, 0)
		})
	}
}

// A helper with a capability has that one in the kernel's packet filter, and nowhere else.
func TestOneCapability(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	got, shared, pid, end := start(t, "guard", "")
	defer end()
	for line := range strings.Lines(got) {
		what, err, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if worked := err == "<nil>"; worked != (what == "the packet filter" || what == "root's files") {
			t.Errorf("%s: %s", what, err)
		}
	}
	if strings.Count(got, "\n") != 10 {
		t.Errorf("it ended early:\n%s", got)
	}
	for _, elsewhere := range []string{shared + "/deep/escaped", shared + "/escaped"} { // it takes its own folder for the root
		if _, err := os.Lstat(elsewhere); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", elsewhere, err)
		}
	}
	if with := checkThreads(t, pid, 1<<unix.CAP_NET_ADMIN); with != 1 {
		t.Errorf("%d threads have the capability", with)
	}
}

// Of what its calls could name, a helper has its own folder and ports alone.
func TestLocked(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	abi, _, _ := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	var ports [2]int
	for i := range ports {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	got, _, pid, end := start(t, "locked", fmt.Sprint(ports[0], " ", ports[1]))
	defer end()
	without := map[bool]string{true: "permission denied", false: "<nil>"} // where the kernel has no such lock
	want := fmt.Sprintf("its folder: <nil>\nanother folder: %s\nits port: <nil>\nanother port: %s\na socket of the host's: operation not permitted\na packet socket: operation not permitted\n",
		without[int32(abi) >= 1], without[int32(abi) >= 4])
	if got != want {
		t.Errorf("%s\nwant:\n%s", got, want)
	}
	checkThreads(t, pid, 0)
}

// checkThreads looks at what the kernel says of each thread, and counts those that have
// these capabilities; the others are to have none.
func checkThreads(t *testing.T, pid int, capabilities uint64) (with int) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	for _, path := range threads {
		status, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		sets := fmt.Sprintf("CapPrm:\t%016[1]x\nCapEff:\t%016[1]x\n", capabilities)
		if strings.Contains(string(status), sets) {
			with++
		} else {
			sets = fmt.Sprintf("CapPrm:\t%016[1]x\nCapEff:\t%016[1]x\n", 0)
		}
		for _, want := range []string{
			fmt.Sprintf("Uid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", helper), fmt.Sprintf("Gid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", helper), "Groups:\t \n",
			"CapInh:\t0000000000000000\n", sets, "CapAmb:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n",
		} {
			if !strings.Contains(string(status), want) {
				t.Errorf("%s lacks %q:\n%s", path, want, status)
			}
		}
	}
	return with
}

// start runs a confined process until it has tried all.
func start(t *testing.T, kind, ports string) (said, folder string, pid int, end func()) {
	t.Helper()
	folder, err := os.MkdirTemp("/tmp", "sbx-confine-") // where everybody may write above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	own := filepath.Join(folder, "deep", "own")
	if err := errors.Join(os.MkdirAll(own, 0o777), os.Chmod(folder, 0o777), os.Chmod(folder+"/deep", 0o777), os.Chown(own, helper, helper)); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(own)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	l, err := net.Listen("unix", folder+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	listener, err := l.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("unix", folder+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{inside + "=" + kind, "SBX_CONFINE_NAME=" + filepath.Base(folder), "SBX_CONFINE_PORTS=" + ports}
	cmd.ExtraFiles = []*os.File{dir, listener, dir}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for buf := make([]byte, 4096); !strings.Contains(b.String(), "ready\n"); {
		n, err := stdout.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			break
		}
	}
	return strings.TrimSuffix(b.String(), "ready\n"), folder, cmd.Process.Pid, func() { stdin.Close(); _ = cmd.Wait() }
}
