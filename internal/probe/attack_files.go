package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// mountAttempts change what is mounted. The probe's own files are in /tmp.
func mountAttempts() (list []attempt) {
	const at = "/tmp"
	for _, kind := range []string{"tmpfs", "proc", "sysfs", "cgroup", "cgroup2", "bpf", "mqueue", "devpts", "overlay", "fuse", "debugfs", "tracefs", "securityfs", "binfmt_misc", "ramfs"} {
		list = append(list, attempt{name: "mount " + kind, want: denied, try: func() error { return unix.Mount("none", at, kind, 0, "") }})
	}
	for name, flags := range map[string]uintptr{"bind": unix.MS_BIND, "rbind": unix.MS_BIND | unix.MS_REC, "move": unix.MS_MOVE} {
		list = append(list, attempt{name: "mount " + name + " of the root", want: denied, try: func() error { return unix.Mount("/", at, "", flags, "") }})
	}
	for _, path := range []string{"/", "/usr", "/etc/motd", "/.sbx", "/proc/sys", "/sys", "/dev"} {
		list = append(list,
			attempt{name: "remount " + path + " writable", want: denied, try: func() error { return unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND, "") }},
			attempt{name: "unmount " + path, want: denied, try: func() error { return unix.Unmount(path, unix.MNT_DETACH) }},
		)
	}
	list = append(list,
		attempt{name: "unmount /proc/meminfo", want: denied, try: func() error { return unix.Unmount("/proc/meminfo", unix.MNT_DETACH) }},
		attempt{name: "unmount /sys/fs/cgroup", want: denied, try: func() error { return unix.Unmount("/sys/fs/cgroup", unix.MNT_DETACH) }},
		attempt{name: "share mounts with the host", want: denied, try: func() error { return unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, "") }},
		attempt{name: "pivot_root", want: denied, try: func() error { return unix.PivotRoot("/tmp", "/tmp") }},
		attempt{name: "chroot", want: denied, apart: true, try: func() error { return unix.Chroot("/tmp") }},
	)
	return list
}

// kernelWrites are files by which the kernel, or what is not the sandbox's, is told
// what to do.
var kernelWrites = []string{
	"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/panic", "/proc/sys/kernel/sysrq", "/proc/sys/kernel/hostname",
	"/proc/sys/kernel/randomize_va_space", "/proc/sys/kernel/yama/ptrace_scope", "/proc/sys/kernel/unprivileged_bpf_disabled", "/proc/sys/kernel/dmesg_restrict",
	"/proc/sys/vm/drop_caches", "/proc/sys/vm/overcommit_memory", "/proc/sys/fs/protected_symlinks", "/proc/sys/fs/suid_dumpable", "/proc/sys/user/max_user_namespaces",
	"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/net/ipv6/conf/all/forwarding", "/proc/sys/fs/binfmt_misc/register",
	"/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/proc/acpi/wakeup", "/proc/timer_stats", "/proc/scsi/scsi", "/proc/kcore", "/proc/kmsg", "/proc/mtrr",
	"/sys/kernel/uevent_helper", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/mm/ksm/run", "/sys/kernel/profiling", "/sys/power/state", "/sys/power/disk",
	"/sys/module/kernel/parameters/panic", "/sys/class/net/lo/mtu", "/sys/block", "/sys/bus/pci/rescan", "/sys/firmware/acpi/interrupts/sci", "/sys/fs/cgroup/cgroup.procs",
	"/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/release_agent", "/sys/kernel/debug/sched/features", "/sys/kernel/security/apparmor/.load",
}

// hostReads are what shows nothing in a container that is the host's: a machine has a
// kernel of its own, which may show what it likes.
var hostReads = []string{
	"/proc/acpi", "/proc/asound", "/proc/bus", "/proc/cmdline", "/proc/fs", "/proc/interrupts", "/proc/irq", "/proc/kallsyms", "/proc/kcore", "/proc/key-users", "/proc/keys", "/proc/kmsg",
	"/proc/sched_debug", "/proc/schedstat", "/proc/scsi", "/proc/softirqs", "/proc/sysrq-trigger", "/proc/timer_list", "/proc/vmallocinfo", "/sys/firmware", "/sys/fs/cgroup", "/sys/kernel/debug",
	"/sys/kernel/security", "/sys/kernel/tracing", "/sys/devices/virtual/powercap", "/sys/devices/system/cpu/cpu0/thermal_throttle", "/.sbx/manifest.json",
}

// kernelFileAttempts write to the kernel's files, and read what it shows.
func kernelFileAttempts() (list []attempt) {
	for _, path := range kernelWrites {
		want := noWrite
		switch path {
		case "/sys/block":
			want = append(denied, unix.EISDIR)
		case "/proc/mtrr": // a machine's own kernel may have found no such registers
			want = append(noWrite[:len(noWrite):len(noWrite)], unix.EIO, unix.ENXIO)
		}
		list = append(list, attempt{name: "write " + path, want: want, try: func() error { return opened(path, unix.O_WRONLY) }})
	}
	for _, path := range hostReads {
		list = append(list, attempt{name: "see " + path, want: noWrite, try: func() error { return see(path) }})
	}
	return list
}

func opened(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// isMachine says whether the sandbox has a kernel of its own: then the manifest is
// not there.
func isMachine() bool {
	_, err := os.Stat("/.sbx/init")
	return err != nil
}

// see gets through where the path shows anything.
func see(path string) error {
	if isMachine() {
		return errUnseen
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		if err == nil && len(entries) == 0 {
			err = errUnseen
		}
		return err
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	text := make([]byte, 64)
	n, err := unix.Read(fd, text)
	if err == nil && len(bytes.TrimSpace(text[:n])) == 0 {
		err = errUnseen
	}
	return err
}

// fileAttempts change what is exposed, and make what must not be made.
func fileAttempts() []attempt {
	const exposed, folder = "/probe", "/usr" // a file of the test's; to the folder nothing is done that would harm the host
	readOnly := append([]syscall.Errno{unix.EBUSY, unix.EXDEV, unix.ETXTBSY}, noWrite[:3]...)
	list := []attempt{
		{name: "write to an exposed file", want: readOnly, try: func() error { return opened(exposed, unix.O_WRONLY) }},
		{name: "truncate an exposed file", want: readOnly, try: func() error { return unix.Truncate(exposed, 0) }},
		{name: "unlink an exposed file", want: readOnly, try: func() error { return unix.Unlink(exposed) }},
		{name: "rename an exposed file", want: readOnly, try: func() error { return unix.Rename(exposed, exposed+"2") }},
		{name: "move an exposed file out", want: readOnly, try: func() error { return unix.Rename(exposed, "/tmp/moved") }},
		{name: "link an exposed file out", want: readOnly, try: func() error { return unix.Link(exposed, "/tmp/linked") }},
		{name: "chmod an exposed file", want: readOnly, try: func() error { return unix.Chmod(exposed, 0o4755) }},
		{name: "chown an exposed file", want: readOnly, try: func() error { return unix.Chown(exposed, 0, 0) }},
		{name: "chmod an exposed folder", want: readOnly, try: func() error { return unix.Chmod(folder, 0o755) }},
		{name: "date an exposed file", want: readOnly, try: func() error { return unix.Utimes(exposed, make([]unix.Timeval, 2)) }},
		{name: "give an exposed file capabilities", want: append(readOnly, unix.EOPNOTSUPP), try: func() error { return unix.Setxattr(exposed, "security.capability", make([]byte, 20), 0) }},
		{name: "make a file in an exposed folder", want: readOnly, try: func() error { return opened(folder+"/sbx-was-here", unix.O_CREAT|unix.O_WRONLY) }},
		{name: "make a nameless file in an exposed folder", want: append(readOnly, unix.EOPNOTSUPP, unix.EISDIR), try: func() error { return opened(folder, unix.O_TMPFILE|unix.O_WRONLY) }},
		{name: "make a folder in an exposed folder", want: readOnly, try: func() error { return unix.Mkdir(folder+"/sbx-was-here", 0o755) }},
		{name: "make a link in an exposed folder", want: readOnly, try: func() error { return unix.Symlink("/", folder+"/sbx-was-here") }},
		{name: "make a file in the root", want: readOnly, try: func() error { return opened("/sbx-was-here", unix.O_CREAT|unix.O_WRONLY) }},
		{name: "make a folder in the root", want: readOnly, try: func() error { return unix.Mkdir("/sbx-was-here", 0o755) }},
		{name: "chmod the root", want: readOnly, try: func() error { return unix.Chmod("/", 0o755) }},
		{name: "put something in place of an inline file", want: readOnly, try: func() error { return unix.Rename("/tmp", "/etc/motd") }},
		{name: "write to sbx-init", want: append(readOnly, unix.ENOENT), try: func() error { return opened("/.sbx/init", unix.O_WRONLY) }},
		{name: "write to the manifest", want: noWrite, try: func() error { return opened("/.sbx/manifest.json", unix.O_WRONLY) }},
		{name: "leave the root by its parent", want: noWrite, try: func() error { return opened("/../../../../etc/shadow", unix.O_RDONLY) }},
		{name: "leave the root by the first process", want: noWrite, try: func() error { return opened("/proc/1/root/etc/shadow", unix.O_RDONLY) }},
		{name: "the old root that libvirt leaves", want: noWrite, try: func() error { return seeAny("/.oldroot") }},
	}
	for name, device := range map[string]uint64{"null": unix.Mkdev(1, 3), "memory": unix.Mkdev(1, 1), "kmsg": unix.Mkdev(1, 11), "a disk": unix.Mkdev(8, 0), "fuse": unix.Mkdev(10, 229), "kvm": unix.Mkdev(10, 232), "a loop device": unix.Mkdev(7, 0)} {
		kind := uint32(unix.S_IFCHR)
		if strings.HasPrefix(name, "a ") {
			kind = unix.S_IFBLK
		}
		list = append(list, attempt{name: "make the device of " + name, want: denied, try: func() error { return unix.Mknod("/tmp/device", kind|0o666, int(device)) }})
	}
	return list
}

func seeAny(dir string) error {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) == 0 {
		err = fmt.Errorf("%w in %s", errUnseen, dir)
	}
	return err
}
