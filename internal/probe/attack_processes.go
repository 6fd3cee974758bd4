package main

import (
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// processAttempts are upon the first process, which is sbx-init.
func processAttempts() []attempt {
	list := []attempt{
		{name: "kill the first process", want: denied, try: func() error { return survive(unix.SIGKILL) }},
		{name: "stop the first process", want: denied, try: func() error { return survive(unix.SIGSTOP) }},
		{name: "trace the first process", want: denied, try: func() error { return raw(unix.SYS_PTRACE, unix.PTRACE_SEIZE, 1) }},
		{name: "take a descriptor of the first process", want: denied, try: func() error {
			fd, err := unix.PidfdOpen(1, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			got, err := unix.PidfdGetfd(fd, 3, 0)
			if err == nil {
				unix.Close(got)
			}
			return err
		}},
		{name: "read the first process's memory", want: denied, try: func() error {
			var b [8]byte
			local := []unix.Iovec{{Base: &b[0], Len: 8}}
			_, err := unix.ProcessVMReadv(1, local, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0)
			return err
		}},
	}
	for _, name := range []string{"mem", "fd/0", "fd/3", "maps", "environ", "root", "cwd", "exe", "auxv", "syscall", "stack", "task/1/mem", "ns/mnt"} {
		list = append(list, attempt{name: "open /proc/1/" + name, want: noWrite, try: func() error { return readable("/proc/1/" + name) }})
	}
	for _, name := range []string{"mem", "timerslack_ns", "attr/current", "uid_map", "loginuid"} {
		list = append(list, attempt{name: "write /proc/1/" + name, want: append(noWrite, unix.EINVAL), try: func() error { return writeTo("/proc/1/"+name, "1") }})
	}
	return list
}

// readable opens and reads: some files are opened by everybody and read by few.
func readable(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, make([]byte, 64))
	if err == nil && n == 0 {
		err = errUnseen
	}
	return err
}

func writeTo(path, text string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(text))
	return err
}

// survive sends the first process a signal. The kernel lets it be sent, and does
// nothing where the process has not asked for it (pid_namespaces(7)).
func survive(signal unix.Signal) error {
	if err := unix.Kill(1, signal); err != nil {
		return err
	}
	time.Sleep(50 * time.Millisecond)
	stat, err := os.ReadFile("/proc/1/stat")
	if err != nil {
		return err
	}
	var state byte
	if _, err := fmt.Sscanf(string(stat[len(stat)-len(afterName(stat)):]), " %c", &state); err != nil {
		return err
	}
	if state == 'T' || state == 'Z' {
		return nil
	}
	return fmt.Errorf("%w: it goes on", errUnseen)
}

// afterName is what follows the name in proc_pid_stat(5).
func afterName(stat []byte) []byte {
	for i := len(stat) - 1; i >= 0; i-- {
		if stat[i] == ')' {
			return stat[i+1:]
		}
	}
	return nil
}

// privilegeAttempts ask for more than the command was given.
func privilegeAttempts() (list []attempt) {
	for n, name := range map[int]string{
		unix.CAP_SYS_ADMIN: "sys_admin", unix.CAP_SYS_PTRACE: "sys_ptrace", unix.CAP_SYS_MODULE: "sys_module", unix.CAP_SYS_RAWIO: "sys_rawio", unix.CAP_NET_ADMIN: "net_admin",
		unix.CAP_SYS_BOOT: "sys_boot", unix.CAP_SYS_TIME: "sys_time", unix.CAP_MKNOD: "mknod", unix.CAP_SETUID: "setuid", unix.CAP_SETPCAP: "setpcap", unix.CAP_SYS_CHROOT: "sys_chroot", unix.CAP_BPF: "bpf",
	} {
		list = append(list, attempt{name: "raise the capability " + name, want: denied, try: func() error { return raise(n) }})
	}
	nice := func(which int) error { return unix.Setpriority(which, 0, -20) }
	return append(list,
		attempt{name: "become another user", want: denied, apart: true, try: func() error { return raw(unix.SYS_SETRESUID, 1000, 1000, 1000) }},
		attempt{name: "become another group", want: denied, apart: true, try: func() error { return raw(unix.SYS_SETRESGID, 1000, 1000, 1000) }},
		attempt{name: "join other groups", want: denied, apart: true, try: func() error { return unix.Setgroups([]int{0, 1, 2}) }},
		attempt{name: "take back no_new_privs", want: []unix.Errno{unix.EINVAL}, try: func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) }},
		attempt{name: "take back the filter", want: []unix.Errno{unix.EINVAL}, try: func() error { return unix.Prctl(unix.PR_SET_SECCOMP, 0, 0, 0, 0) }},
		attempt{name: "raise the limit of open files", want: denied, try: func() error {
			return unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 30}, nil)
		}},
		attempt{name: "raise its priority", want: denied, try: func() error { return nice(unix.PRIO_PROCESS) }},
		attempt{name: "run in real time", want: denied, try: func() error {
			priority := uint32(1)
			return raw(unix.SYS_SCHED_SETSCHEDULER, 0, 1, uintptr(unsafe.Pointer(&priority)))
		}},
		attempt{name: "set the clock", want: denied, try: func() error { return unix.Settimeofday(&unix.Timeval{Sec: 1}) }},
		attempt{name: "step the clock", want: denied, try: func() error {
			_, err := unix.ClockAdjtime(unix.CLOCK_REALTIME, &unix.Timex{Modes: unix.ADJ_SETOFFSET, Time: unix.Timeval{Sec: 1}})
			return err
		}},
		attempt{name: "set the host name", want: denied, try: func() error { return unix.Sethostname([]byte("taken")) }},
		attempt{name: "switch address randomisation off", want: denied, try: func() error { return raw(unix.SYS_PERSONALITY, 0x0040000) }},
		attempt{name: "map the page at 0", want: denied, try: func() error {
			_, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED, ^uintptr(0), 0)
			if errno != 0 {
				return errno
			}
			return nil
		}},
	)
}

// raise puts a capability into this thread's sets.
func raise(n int) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[n/32].Permitted |= 1 << (n % 32)
	data[n/32].Effective |= 1 << (n % 32)
	return unix.Capset(&header, &data[0])
}
