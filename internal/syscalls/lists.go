package syscalls

import (
	"maps"
	"slices"
	"strings"
)

// allowed are the calls that every program may make: with its own memory, files,
// processes, sockets and clocks, and what only makes the walls narrower. Whether it
// may do so with this file or that process, the kernel says.
var allowed = set(`
	accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget capset chdir chown clock_adjtime
	clock_getres clock_gettime clock_nanosleep close close_range connect copy_file_range dup dup2 dup3
	epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat
	exit exit_group faccessat faccessat2 fadvise64 fallocate fanotify_mark fchdir fchown fchownat fcntl
	fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstatat fstatfs fsync ftruncate
	futex futex_requeue futex_wait futex_waitv futex_wake futimesat get_mempolicy get_robust_list
	get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer getpeername
	getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid
	getsockname getsockopt gettid gettimeofday getuid getxattr getxattrat inotify_add_watch inotify_init
	inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit ioctl
	ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown
	lgetxattr link linkat listen listmount listxattr listxattrat llistxattr lremovexattr lseek lsetxattr
	lsm_get_self_attr lsm_list_modules lsm_set_self_attr lstat madvise map_shadow_stack mbind membarrier
	memfd_create memfd_secret mincore mkdir mkdirat mlock mlock2 mlockall mmap mprotect mq_getsetattr
	mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync
	munlock munlockall munmap name_to_handle_at nanosleep newfstatat pause pidfd_open pidfd_send_signal pipe
	pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64
	process_mrelease pselect6 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom
	recvmmsg recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall
	rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
	rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity
	sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr
	sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop sendfile
	sendmmsg sendmsg sendto set_mempolicy set_mempolicy_home_node set_robust_list set_thread_area
	set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid
	setresuid setreuid setrlimit setsid setsockopt setuid setxattr setxattrat shmat shmctl shmdt shmget
	shutdown sigaltstack signalfd signalfd4 splice stat statfs statmount statx symlink symlinkat sync
	sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime
	timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate umask uname unlink
	unlinkat uretprobe utime utimensat utimes vfork vmsplice wait4 waitid write writev
`)

// conditional are the calls that depend on their arguments (conditions.go).
var conditional = set("chmod clone creat fchmod fchmodat fchmodat2 mknod mknodat open openat personality socket socketpair unshare")

// refused are the calls that everybody else is refused, with the error that their
// callers know best: EPERM as from a kernel whose administrator has closed them.
var refused = set(`
	acct bpf chroot clock_settime delete_module fanotify_init finit_module fsconfig fsmount fsopen fspick
	init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load
	migrate_pages mount mount_setattr move_mount move_pages open_by_handle_at open_tree open_tree_attr
	perf_event_open pidfd_getfd pivot_root process_madvise process_vm_readv process_vm_writev ptrace
	quotactl quotactl_fd reboot setdomainname sethostname setns settimeofday swapoff swapon syslog umount2
	userfaultfd vhangup
`)

// missing are the calls that a sandbox has not got, as kernels have not that are
// built without them. Programs have another way then: those that would share keys
// go without, and clone3 and openat2, whose arguments no filter can see, become clone
// and openat.
var missing = set("add_key clone3 keyctl lookup_dcookie modify_ldt openat2 request_key")

// gone are the calls that no kernel of today has, and what the tables carry for
// 32-bit programs alone.
var gone = set(`
	_sysctl afs_syscall arch_specific_syscall clock_adjtime64 clock_getres_time64 clock_gettime64
	clock_nanosleep_time64 clock_settime64 create_module epoll_ctl_old epoll_wait_old futex_time64
	get_kernel_syms getpmsg io_pgetevents_time64 mq_timedreceive_time64 mq_timedsend_time64 nfsservctl
	ppoll_time64 pselect6_time64 putpmsg query_module recvmmsg_time64 rt_sigtimedwait_time64
	sched_rr_get_interval_time64 security semtimedop_time64 sysfs timer_gettime64 timer_settime64
	timerfd_gettime64 timerfd_settime64 tuxcall uselib ustat utimensat_time64 vserver
`)

// refusedCalls are those that a profile can open.
func refusedCalls() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for _, list := range []map[string]bool{refused, missing, conditional} {
			for name := range maps.Keys(list) {
				if !yield(name) {
					return
				}
			}
		}
	})
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
