package domain

import (
	"github.com/sbx-dev/sbx/compiler/apparmor"
	"github.com/sbx-dev/sbx/compiler/identity"
)

// What a profile for AppArmor leaves to the host that loads it.
const (
	SandboxVariable  apparmor.Variable = "sandbox"  // the sandbox's folder
	EmulatorVariable apparmor.Variable = "emulator" // QEMU, where no link leads any further
	FirmwareVariable apparmor.Variable = "firmware" // what QEMU boots with
	DomainsVariable  apparmor.Variable = "domains"  // where libvirt has a folder for each machine
	LogsVariable     apparmor.Variable = "logs"     // where libvirt has QEMU write what it says
)

// AppArmorFile is the bundle's profile for AppArmor.
const AppArmorFile = "apparmor"

// AppArmorName is the only name under which libvirt has a domain confined by a
// profile: AppArmorSetSecurityProcessLabel in libvirt's security_apparmor.c, and
// what its own profile lets libvirtd change to.
func AppArmorName(sandbox string) string { return "libvirt-" + identity.UUID("domain", sandbox) }

// Daemons are libvirt's processes that start, stop and speak with QEMU, by
// their profiles. A daemon's of its own may have none, and sbx is one where it runs
// libvirt's driver itself.
var Daemons = []string{"libvirtd", "/usr/sbin/libvirtd", "virtqemud", "/usr/sbin/virtqemud", "unconfined"}
