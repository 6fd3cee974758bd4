package container

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/compiler/apparmor"
	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/compiler/resolve"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/syscalls"
)

// appArmor confines all that runs in a container. libvirt changes to it when
// the container's mounts are made, right before it starts the first process, so that
// paths are those that the container sees. It closes what the profile does not name a
// second time, beside namespaces and user ids: files, capabilities, mounts, kinds of
// sockets, and processes of others.
func appArmor(s *domain.Sandbox) ([]byte, error) {
	held := capabilityNames(s)
	p := apparmor.New(domain.AppArmorName(s.Name))
	p.For("the first process, and the folders around what is mounted")
	p.File("mrix", "/.sbx/init")
	p.File("r", "/.sbx/{,**}")
	for _, folder := range aroundMounts(s.Manifest.Mounts) {
		p.File("r", apparmor.Path(folder))
	}
	p.For("what it sees of the host, and what is its own")
	for _, m := range s.Manifest.Mounts {
		how, err := mountOf(m)
		if err != nil {
			return nil, err
		}
		p.File(how.access(m), apparmor.Path(m.Target), apparmor.Path(m.Target).Tree())
	}
	denyControl(p, s.Manifest.Mounts)
	allowKernel(p)
	allowDevices(p, s)
	p.For("capabilities, of the command and of the first process")
	for _, c := range held {
		p.Allow("capability " + c)
	}
	p.For("sockets, on the container's own network")
	for _, family := range socketFamilies(held, s.Manifest.Run.Syscalls) {
		p.Allow("network " + family)
	}
	p.Allow("unix")
	p.For("its own processes, and who ends it")
	p.Allow("signal peer=@{profile_name}")
	p.Allow("ptrace peer=@{profile_name}")
	for _, host := range domain.Daemons {
		p.Allow("signal (receive) peer=" + host)
		p.Allow("ptrace (readby, tracedby) peer=" + host)
	}
	allowMounts(p, s.Manifest.Run.Syscalls)
	return p.Encode(), nil
}

// control is what sandboxes are controlled by. It may stand below a path that a
// container has of its own, such as /run.
var control = []string{"/run/libvirt", "/var/lib/libvirt", "/var/lib/sbx"}

// denyControl denies it, but for where the container has something else there.
func denyControl(p *apparmor.Profile, mounts []manifest.Mount) {
	p.For("what controls sandboxes, were one outside of its mounts")
	for _, folder := range control {
		if !slices.ContainsFunc(mounts, func(m manifest.Mount) bool {
			return m.Target == folder || strings.HasPrefix(m.Target, folder+"/")
		}) {
			p.Allow(`deny "` + string(apparmor.Path(folder).Tree()) + `" rwklx`)
		}
	}
}

// aroundMounts are the folders in which something is mounted, as AppArmor names
// folders: with a slash.
func aroundMounts(mounts []manifest.Mount) []string {
	folders := map[string]bool{"/": true}
	for _, m := range mounts {
		for dir := path.Dir(m.Target); dir != "/"; dir = path.Dir(dir) {
			folders[dir+"/"] = true
		}
	}
	return slices.Sorted(maps.Keys(folders))
}

// allowKernel allows the kernel's files as libvirt mounts them: of /proc the
// processes' own and the network's settings can be written, as far as user ids allow
// it, and of /sys nothing.
func allowKernel(p *apparmor.Profile) {
	p.For("the kernel's files")
	p.File("r", "/proc/{,**}", "/sys/{,**}", "/dev/", "/dev/pts/")
	p.File("rwk", "/proc/[0-9]*/{,**}", "/proc/sys/net/{,**}")
	p.File("rwk", "/dev/{log,sbx-notify,null,zero,full,random,urandom,tty,tty[0-9]*,console,ptmx}", "/dev/pts/*")
	p.Allow(`deny "/proc/{kcore,kmem,mem,kmsg,sysrq-trigger}" rwklx`)
	p.Allow(`deny "/sys/kernel/{security,debug,tracing}/{,**}" rwklx`) // the host's: its own are empty
}

// socketFamilies are the kinds of sockets that namespaces keep apart, and those that
// the profile opens by a word of package syscalls.
func socketFamilies(capabilities, words []string) []string {
	families := []string{"unix", "inet", "inet6", "netlink"}
	if slices.Contains(capabilities, "net_raw") { // the first process's own, for leases, is among them
		families = append(families, "packet")
	}
	for _, word := range words {
		if family, ok := strings.CutPrefix(word, "af_"); ok && !slices.Contains(families, family) {
			families = append(families, family)
		}
	}
	return families
}

// allowMounts allows what the first process mounts over what is libvirt's and the
// host's, and whatever a profile mounts that opens the calls; in namespaces of its
// own, a program holds capabilities that are worth nothing outside.
func allowMounts(p *apparmor.Profile, words []string) {
	p.For("mounts")
	if syscalls.Open(words, "unshare") {
		p.Allow("capability")
	}
	if syscalls.Open(words, "mount") {
		for _, rule := range []string{"mount", "umount", "pivot_root"} {
			p.Allow(rule)
		}
		return
	}
	const flags = "nosuid,nodev,noexec"
	p.Allow("mount fstype=tmpfs options=(rw," + flags + ") -> " + resolve.Shm + "/")
	p.Allow("umount " + resolve.Shm + "/")
	p.Allow("mount options=(rw,bind) " + resolve.Shm + "/{dir/,file} -> /{proc,sys,.sbx}/**")
	p.Allow("mount options=(ro,remount,bind," + flags + ") -> /{proc,sys,.sbx}/**")
	p.Allow("mount options=(rw,bind) " + resolve.Shm + "/meminfo -> /proc/meminfo")
	p.Allow("umount /proc/meminfo")
	p.File("rwk", "/meminfo") // by a descriptor: its own folder is unmounted
}
