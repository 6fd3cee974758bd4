package machine

import (
	"strings"

	"github.com/sbx-dev/sbx/compiler/apparmor"
	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/internal/state"
)

// appArmor confines QEMU: what a guest that has broken out of its machine can do on
// the host. It is what libvirt's abstraction of QEMU and its virt-aa-helper allow,
// less what machines of sbx do not have; and of the host's files that the sandbox
// sees, the mounts on its stage, not the paths that these come from.
func appArmor(s *domain.Sandbox) ([]byte, error) {
	p := apparmor.New(domain.AppArmorName(s.Name))
	allowQEMU(p)
	allowLibvirt(p, s.Name)

	own := domain.SandboxVariable.Pattern() + "/"
	p.For("what the machine boots")
	p.File("r", domain.FirmwareVariable.Pattern(), own+state.Boot+"/kernel", own+state.Boot+"/initrd")
	p.For("the channel of its first process")
	p.File("rw", own+state.Channel)
	p.For("what it sees of the host")
	for _, m := range s.Manifest.Mounts {
		how, err := mountOf(m)
		if err != nil {
			return nil, err
		}
		if how.access != nil {
			how.access(p, own+state.Stage+"/", m)
		}
	}
	if len(s.Interfaces) > 0 {
		p.For("its network interfaces, which libvirt opens")
		p.File("rw", "/dev/net/tun", "/dev/vhost-net")
	}
	return p.Encode(), nil
}

// allowQEMU allows what QEMU needs to run a machine whatever its devices.
func allowQEMU(p *apparmor.Profile) {
	p.For("QEMU, its modules and the data that comes with it")
	p.File("mrix", domain.EmulatorVariable.Pattern())
	p.File("mr", "/{,usr/}lib{,32,64}/{,**/}*.so{,.*}")
	p.File("r",
		"/etc/ld.so.{cache,preload}",
		"/usr/{lib/locale,share/zoneinfo}/{,**}",
		"/usr/share/{qemu,seabios}/{,**}",
		"/etc/{gnutls/config,ssl/openssl.cnf}",
	)
	p.For("itself, which kicks the threads of its processors")
	p.Allow("signal peer=@{profile_name}")
	p.For("devices of the kernel")
	p.File("rw", "/dev/{kvm,null,zero,full}")
	p.File("r", "/dev/{urandom,random}")
	p.For("what it asks the kernel of itself and the processors")
	p.File("r",
		"/proc/{cpuinfo,meminfo,stat,filesystems}",
		"/proc/sys/{vm/overcommit_memory,vm/max_map_count,kernel/cap_last_cap}",
		"/sys/devices/system/{cpu,node}/{,**}",
		"/sys/module/vhost/parameters/max_mem_regions",
	)
	p.Allow(`owner "/proc/[0-9]*/{auxv,maps,status}" r`)
	p.Allow(`owner "/proc/[0-9]*/task/[0-9]*/comm" rw`)
	p.Allow(`deny "/proc/[0-9]*/cmdline" r`) // of who ends it, for its log: in silence
}

// allowLibvirt allows what happens between QEMU and libvirt. Libvirt starts QEMU
// in its profile, still as root, and opens its sockets for it.
func allowLibvirt(p *apparmor.Profile, name string) {
	p.For("libvirt, which gives up root in here before it starts QEMU")
	for _, c := range []string{"setuid", "setgid", "setpcap"} {
		p.Allow("capability " + c)
	}
	// For a kernel that knows unix sockets by their type alone, as Debian 13's, version 4
	// of the parser makes of the rules below what they say, and not all that there is:
	// QEMU could not even see that what libvirt hands it is a socket. None of these
	// reaches another process.
	p.Allow("unix (create, bind, listen, accept, getattr, getopt, setopt, shutdown) type=stream")
	p.Allow("unix (getattr, getopt, setopt, accept, listen, shutdown) type=stream") // of those that it opened
	for _, daemon := range domain.Daemons {
		p.Allow("signal (receive) peer=" + daemon)
		p.Allow("ptrace (readby, tracedby) peer=" + daemon)
		p.Allow("unix (send, receive) type=stream addr=none peer=(label=" + daemon + ")")
	}
	folder := domain.DomainsVariable.Pattern() + "/domain-" + digits(10) + "-" + apparmor.Path(shortName(name))
	p.File("r", folder+"/master-key.aes")
	p.File("rw", folder+"/monitor.sock")
	p.File("w", domain.LogsVariable.Pattern()+"/"+apparmor.Path(name)+".log")
}

// digits is any number of that many digits at most: a domain's id has ten.
func digits(most int) apparmor.Pattern {
	const digit = "[0-9]"
	return apparmor.Pattern(strings.Repeat(digit+"{,", most-1) + digit + strings.Repeat("}", most-1))
}

// shortName is what libvirt's folder of a domain has of its name
// (virDomainDefGetShortName).
func shortName(name string) string {
	const most = 20
	return name[:min(len(name), most)]
}
