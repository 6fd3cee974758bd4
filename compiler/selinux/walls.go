package selinux

import "slices"

// What can be done to files and folders.
var (
	reading      = []string{"getattr", "open", "read", "ioctl", "lock", "watch", "watch_reads"}
	folders      = slices.Concat(reading, []string{"search"})
	changing     = []string{"create", "setattr", "rename", "link", "unlink"}
	writing      = slices.Concat(changing, []string{"write", "append"})
	filling      = slices.Concat(changing, []string{"write", "add_name", "remove_name", "reparent", "rmdir"})
	running      = []string{"execute", "execute_no_trans"}
	endpoints    = []string{"sock_file", "fifo_file"}
	capabilities = []string{
		"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "linux_immutable",
		"net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot",
		"sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease",
		"audit_write", "audit_control", "setfcap",
	}
)

// Read lets the sandbox read what it sees of the host; where programs are to run, run it.
func (p *Policy) Read(run bool) {
	p.Allow(Exposed, "dir", folders...)
	file := slices.Concat(reading, []string{"map"})
	if run {
		file = slices.Concat(file, running, []string{"entrypoint"})
	}
	p.Allow(Exposed, "file", file...)
	p.Allow(Exposed, "lnk_file", "getattr", "read")
	for _, class := range endpoints {
		p.Allow(Exposed, class, "getattr")
	}
}

// Write lets the sandbox do all to its own content; where programs are to run, run it.
func (p *Policy) Write(run bool) {
	p.Allow(Content, "dir", slices.Concat(folders, filling, []string{"mounton"})...)
	file := slices.Concat(reading, writing, []string{"map", "mounton"})
	if run {
		file = append(file, running...)
	}
	p.Allow(Content, "file", file...)
	p.Allow(Content, "lnk_file", slices.Concat(changing, []string{"getattr", "read"})...)
	for _, class := range endpoints {
		p.Allow(Content, class, slices.Concat(writing, []string{"getattr", "open", "read", "ioctl", "lock"})...)
	}
}

// Speak lets the sandbox speak through what it sees of the host: sockets and FIFOs.
func (p *Policy) Speak() {
	for _, class := range endpoints {
		p.Allow(Exposed, class, "open", "read", "write", "append", "ioctl", "lock")
	}
	p.Allow("domain", "unix_stream_socket", "connectto")
	p.Allow("domain", "unix_dgram_socket", "sendto")
}

// Hold lets the sandbox have capabilities, of a namespace of its own or of the host's.
func (p *Policy) Hold(own bool, held []string) {
	if len(held) == 0 {
		return
	}
	p.Allow("self", capabilityClass(own), held...)
}

func capabilityClass(own bool) string {
	if own {
		return "cap_userns"
	}
	return "capability"
}

// using is what is done with a socket that one has.
var using = []string{"create", "bind", "connect", "getattr", "setattr", "getopt", "setopt", "shutdown", "read", "write", "append", "ioctl", "lock"}

// Interface is what a network interface is that a program makes by /dev/net/tun.
const Interface = "tun_socket"

// Net lets the sandbox use its network: the kinds of sockets, and whether it has any
// network but one of its own alone.
func (p *Policy) Net(kinds []string) {
	for _, kind := range kinds {
		if kind == Interface { // it is used through the device (tun_dev_* of the kernel's security/selinux/hooks.c)
			p.Allow("self", kind, "create", "attach_queue", "relabelfrom", "relabelto")
			continue
		}
		how := using
		if slices.Contains([]string{"tcp_socket", "sctp_socket"}, kind) {
			how = slices.Concat(how, []string{"listen", "accept"})
		}
		p.Allow("self", kind, how...)
		if kind == "packet_socket" {
			continue
		}
		p.Allow("node_type", kind, "node_bind")
		switch kind {
		case "tcp_socket", "sctp_socket":
			p.Allow("port_type", kind, "name_bind", "name_connect")
		case "udp_socket":
			p.Allow("port_type", kind, "name_bind")
		}
	}
	p.Allow("netif_type", "netif", "ingress", "egress")
	p.Allow("node_type", "node", "recvfrom", "sendto")
}

// Opened is what a policy opens beside files, by which its walls are written.
type Opened struct {
	Speaks       bool     // through sockets that it sees of the host
	Namespace    bool     // its ids are its own
	Capabilities []string // that it may have
	Sockets      []string // kinds of them, on its network
}

// Wall forbids to open more than that: every wall stands here. What sbx's module lets all
// sandboxes of the kind have is no hole in one.
func (p *Policy) Wall(o Opened) {
	p.For("walls: what it does not own, it does not write")
	p.Set(foreign, "(and file_type (not (or "+Content+" "+string(p.kind)+"_own)))")
	p.Never(foreign, "file", writing...)
	p.Never(foreign, "dir", filling...)
	p.Never(foreign, "lnk_file", changing...)
	p.For("walls: what it does not see, it does not read")
	p.Set(unseen, "(and file_type (not (or (or "+Exposed+" "+Content+") (or "+string(p.kind)+"_own "+string(p.kind)+"_shared))))")
	p.Never(unseen, "file", "open", "read", "map", "execute")
	p.Never("sbx_hidden", "file", "open", "read", "write", "append", "map", "execute")
	p.For("walls: it gives nothing another type, and becomes nothing else")
	for _, class := range []string{"file", "dir", "lnk_file", "sock_file", "fifo_file", "blk_file", "chr_file"} {
		p.Never("file_type", class, "relabelfrom", "relabelto")
	}
	p.Never("self", "process", "setcurrent", "setfscreate", "setsockcreate", "dyntransition")
	p.For("walls: processes of others")
	p.Set(others, "(and domain (not "+Process+"))")
	p.Never(others, "process", "ptrace", "sigkill", "sigstop", "signal", "transition", "dyntransition", "setsched", "setrlimit", "share")
	p.Never(others, "file", "open", "read", "write", "append")
	if !o.Speaks {
		p.Set(strangers, "(and "+others+" (not "+string(p.kind)+"_peers))")
		p.Never(strangers, "unix_stream_socket", "connectto")
		p.Never(strangers, "unix_dgram_socket", "sendto")
	}
	p.wallKernel()
	p.wallCapabilities(o)
	p.wallSockets(o.Sockets)
}

// wallKernel forbids what would make the host's kernel do something for others.
func (p *Policy) wallKernel() {
	p.For("walls: the kernel, its settings and the host's devices")
	p.Set(settings, "(and sysctl_type (not sysctl_net_t))")
	p.Never(settings, "file", "write", "append")
	p.Never("proc_type", "file", "write", "append")
	p.Never("sysfs_t", "file", "write", "append")
	p.Never("device_node", "blk_file", "open", "read", "write", "append", "create")
	p.Set(devices, "(and device_node (not (or (or devpts_t "+Content+") (or "+string(p.kind)+"_own "+string(p.kind)+"_devices))))")
	p.Never(devices, "chr_file", "open", "read", "write", "append")
	p.Never("kernel_t", "system", "module_load", "module_request", "syslog_mod", "syslog_console")
	p.Never("file_type", "system", "module_load")
	p.Never("security_t", "security", "load_policy", "setenforce", "setbool", "setsecparam", "setcheckreqprot")
	p.Set(mounts, "(and filesystem_type (not "+string(p.kind)+"_own))")
	p.Never(mounts, "filesystem", "mount", "unmount", "relabelfrom", "relabelto", "quotamod")
	p.Never("self", "bpf", "map_create", "map_write", "prog_load", "prog_run")
	p.Never("self", "perf_event", "open", "kernel", "tracepoint", "write")
}

// wallCapabilities forbids those that it has not, and all that are the host's where its
// ids are its own.
func (p *Policy) wallCapabilities(o Opened) {
	p.For("walls: capabilities")
	for _, own := range []bool{true, false} {
		rest, class := capabilities, capabilityClass(own)
		if own == o.Namespace {
			rest = slices.DeleteFunc(slices.Clone(capabilities), func(c string) bool { return slices.Contains(o.Capabilities, c) })
		}
		p.Never("self", class, rest...)
	}
	for _, class := range []string{"capability2", "cap2_userns"} {
		p.Never("self", class, "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore")
	}
}

// wallSockets forbids the kinds that its network has not.
func (p *Policy) wallSockets(kinds []string) {
	p.For("walls: kinds of sockets")
	for _, kind := range kindsOfSockets {
		if !slices.Contains(kinds, kind) {
			p.Never("self", kind, "create")
		}
	}
}

// kindsOfSockets are those that some profile or none can open.
var kindsOfSockets = []string{
	"tcp_socket", "udp_socket", "sctp_socket", "icmp_socket", "rawip_socket", "packet_socket", "tipc_socket", "vsock_socket", "alg_socket",
	"can_socket", "rds_socket", "bluetooth_socket", "key_socket", "xdp_socket", "kcm_socket", "qipcrtr_socket", "nfc_socket",
	"netlink_audit_socket", "netlink_selinux_socket", "netlink_netfilter_socket", "netlink_xfrm_socket", "netlink_nflog_socket",
	"netlink_connector_socket", "netlink_iscsi_socket", "netlink_fib_lookup_socket", "netlink_crypto_socket", "netlink_rdma_socket",
	"netlink_scsitransport_socket", "netlink_generic_socket", Interface,
}
