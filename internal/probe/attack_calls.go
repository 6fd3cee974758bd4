package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/syscalls"
)

// callAttempts make each call that is closed. What the kernel itself would say to
// such arguments is another error in most of them.
func callAttempts() (list []attempt) {
	closed := syscalls.Closed(runtime.GOARCH)
	names := make([]string, 0, len(closed))
	for name := range closed {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		number := closed[name]
		list = append(list, attempt{name: "call " + name, want: noSystem, apart: name == "clone3", try: func() error { return raw(number) }})
	}
	return list
}

var namespaces = []struct {
	name string
	flag uintptr
}{
	{"cgroup", unix.CLONE_NEWCGROUP}, {"ipc", unix.CLONE_NEWIPC}, {"mnt", unix.CLONE_NEWNS}, {"net", unix.CLONE_NEWNET},
	{"pid", unix.CLONE_NEWPID}, {"time", unix.CLONE_NEWTIME}, {"user", unix.CLONE_NEWUSER}, {"uts", unix.CLONE_NEWUTS},
}

// namespaceAttempts make and enter namespaces.
func namespaceAttempts() (list []attempt) {
	for _, n := range namespaces {
		list = append(list,
			attempt{name: "unshare " + n.name, want: denied, apart: true, try: func() error { return raw(unix.SYS_UNSHARE, n.flag) }},
			attempt{name: "unshare user and " + n.name, want: denied, apart: true, try: func() error { return raw(unix.SYS_UNSHARE, n.flag|unix.CLONE_NEWUSER) }},
			attempt{name: "setns of the first process's " + n.name, want: denied, try: func() error { return enter("/proc/1/ns/"+n.name, n.flag) }},
			attempt{name: "setns of its own " + n.name, want: denied, try: func() error { return enter("/proc/self/ns/"+n.name, n.flag) }},
		)
		if n.flag != unix.CLONE_NEWTIME { // which clone takes for a signal
			list = append(list, attempt{name: "clone " + n.name, want: denied, try: func() error { return cloned(n.flag) }})
		}
	}
	return list
}

func enter(path string, flag uintptr) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return raw(unix.SYS_SETNS, uintptr(fd), flag)
}

// cloned starts this program in namespaces of its own.
func cloned(flags uintptr) error {
	command := exec.Command("/proc/self/exe", idle)
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	if err := command.Start(); err != nil {
		return err
	}
	command.Process.Kill()
	command.Wait()
	return nil
}

// families are those that no service asks for, by their numbers (linux/socket.h).
var families = map[string]int{
	"unspec": 0, "ax25": 3, "ipx": 4, "appletalk": 5, "netrom": 6, "x25": 9, "rose": 11, "decnet": 12, "key": 15, "rds": 21,
	"llc": 26, "ib": 27, "can": 29, "tipc": 30, "bluetooth": 31, "rxrpc": 33, "phonet": 35, "ieee802154": 36, "caif": 37, "alg": 38,
	"nfc": 39, "vsock": 40, "kcm": 41, "qipcrtr": 42, "smc": 43, "xdp": 44, "mctp": 45,
}

// netlinks are netlink's protocols but the routes (linux/netlink.h).
var netlinks = map[string]int{
	"usersock": 2, "sock_diag": 4, "nflog": 5, "xfrm": 6, "selinux": 7, "iscsi": 8, "audit": 9, "fib_lookup": 10, "connector": 11,
	"netfilter": 12, "kobject_uevent": 15, "generic": 16, "scsitransport": 18, "ecryptfs": 19, "rdma": 20, "crypto": 21,
}

// socketAttempts ask for sockets that lead into other parts of the kernel, and may
// have the host load a module.
func socketAttempts() (list []attempt) {
	ask := func(name string, want syscall.Errno, family, kind, protocol int) {
		list = append(list, attempt{name: "socket " + name, want: []syscall.Errno{want}, try: func() error {
			fd, err := unix.Socket(family, kind, protocol)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}})
	}
	for name, family := range families {
		ask(name, unix.EAFNOSUPPORT, family, unix.SOCK_SEQPACKET, 0)
	}
	for name, protocol := range netlinks {
		ask("netlink "+name, unix.EPROTONOSUPPORT, unix.AF_NETLINK, unix.SOCK_RAW, protocol)
	}
	ask("dccp", unix.ESOCKTNOSUPPORT, unix.AF_INET, unix.SOCK_DCCP, unix.IPPROTO_DCCP)
	ask("dccp over IPv6", unix.ESOCKTNOSUPPORT, unix.AF_INET6, unix.SOCK_DCCP, 0)
	slices.SortFunc(list, func(a, b attempt) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return list
}

// program32 is a 32-bit program that ends with 42: mov eax, 1; mov ebx, 42; int 0x80.
var program32 = []byte{
	0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	2, 0, 3, 0, 1, 0, 0, 0, 0x54, 0x80, 0x04, 0x08, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x34, 0, 0x20, 0, 1, 0, 0, 0, 0, 0, 0, 0,
	1, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x04, 0x08, 0, 0x80, 0x04, 0x08, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 5, 0, 0, 0, 0, 0x10, 0, 0,
	0xb8, 1, 0, 0, 0, 0xbb, 42, 0, 0, 0, 0xcd, 0x80,
}

// abiAttempts go around the filter by the processor's other ways to the kernel.
func abiAttempts() []attempt {
	if runtime.GOARCH != "amd64" {
		return nil
	}
	const x32 = 1 << 30
	return []attempt{
		{name: "call getpid of x32", want: []syscall.Errno{unix.ENOSYS}, try: func() error { return raw(x32 | unix.SYS_GETPID) }},
		{name: "call mount of x32", want: []syscall.Errno{unix.ENOSYS}, try: func() error { return raw(x32 | unix.SYS_MOUNT) }},
		{name: "a 32-bit program", want: []syscall.Errno{unix.ENOEXEC}, try: run32},
	}
}

// run32 runs a 32-bit program; a kernel that takes none is as good.
func run32() error {
	f, err := os.CreateTemp("", "program32-") // AppArmor runs none that has no path
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(program32)
	if err := errors.Join(err, f.Chmod(0o700), f.Close()); err != nil {
		return err
	}
	err = exec.Command(f.Name()).Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status := exit.Sys().(syscall.WaitStatus)
		if status.Signaled() && status.Signal() == syscall.SIGSYS {
			return fmt.Errorf("%w: it was ended by %v", errUnseen, status.Signal())
		}
		if status.ExitStatus() == 42 {
			return nil
		}
		return fmt.Errorf("the 32-bit program itself is broken: %v", err)
	}
	return err
}
