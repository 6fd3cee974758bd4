// Package figures knows what of the host's /proc and /sys a sandbox is shown that asks for
// figures.
package figures

import (
	"slices"

	"github.com/sbx-dev/sbx/internal/within"
)

// Proc are the files of /proc that hold nothing but figures (proc(5)), as exporters read
// them: no process, no setting, nothing that does something. Those in net are of the
// network that sbx runs in, which is the host's.
var Proc = []string{
	"buddyinfo", "cpuinfo", "diskstats", "interrupts", "loadavg", "mdstat", "meminfo", "partitions",
	"schedstat", "softirqs", "stat", "swaps", "uptime", "version", "vmstat", "zoneinfo",
	"pressure/cpu", "pressure/io", "pressure/irq", "pressure/memory",
	"net/dev", "net/netstat", "net/snmp", "net/snmp6", "net/sockstat", "net/sockstat6", "net/softnet_stat",
	"sys/fs/file-nr", "sys/kernel/random/entropy_avail",
	"sys/net/netfilter/nf_conntrack_count", "sys/net/netfilter/nf_conntrack_max",
}

// SysHidden are the folders of /sys that are no figures, or that tell of other programs
// by what they count: a container's first process hides them in its own /sys, too.
var SysHidden = []string{"devices/virtual/powercap", "firmware", "fs/pstore", "kernel/debug", "kernel/security", "kernel/tracing"}

// Shown says whether a path of the host, such as "/proc/stat", is among the figures, or is
// a folder in which some are. Of a path that the kernel does not have it may say so, too.
func Shown(path string) bool {
	if within.Dir(path, "/sys") {
		return !slices.ContainsFunc(SysHidden, func(hidden string) bool { return path != "/sys/"+hidden && within.Dir(path, "/sys/"+hidden) })
	}
	return slices.ContainsFunc(Proc, func(name string) bool { return within.Dir("/proc/"+name, path) })
}
