package drivers

import (
	"os"
	"path/filepath"
	"slices"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
)

// noDriver says of why a connection failed that libvirt has no driver for the backend
// here. libvirtd says so itself; where each driver has a daemon of its own, as on
// Fedora, the one of this is not installed.
func noDriver(kind schema.Backend, err error) bool {
	if virt.ErrorCode(err) == libvirt.ERR_NO_CONNECT {
		return true
	}
	return virt.ErrorCode(err) == libvirt.ERR_SYSTEM_ERROR && !listens("libvirt") && !listens(ownDaemon(kind)) && anyOwnDaemon()
}

// NobodyToAsk says of why a connection failed that no libvirtd could be asked, and that
// there is no daemon of one driver's, either, of which nobody knows what it has.
func NobodyToAsk(err error) bool {
	return virt.ErrorCode(err) == libvirt.ERR_SYSTEM_ERROR && !anyOwnDaemon()
}

// anyOwnDaemon says whether a daemon of one driver's has a socket here.
func anyOwnDaemon() bool {
	return slices.ContainsFunc(known.Names(), func(kind schema.Backend) bool { return listens(ownDaemon(kind)) })
}

// Daemon is what runs sandboxes of the backend here: libvirtd, or the daemon of its
// driver alone where libvirt comes with one for each.
func Daemon(kind schema.Backend) string {
	for _, dir := range []string{"/usr/sbin", "/usr/bin"} {
		if _, err := os.Stat(filepath.Join(dir, ownDaemon(kind))); err == nil && !listens("libvirt") {
			return ownDaemon(kind)
		}
	}
	return "libvirtd"
}

// ownDaemon is the daemon of the backend's driver alone: virtlxcd, virtqemud.
func ownDaemon(kind schema.Backend) string { return "virt" + known.Of(kind).Driver + "d" }

// listens says whether a daemon of libvirt's has a socket on this machine.
func listens(daemon string) bool {
	_, err := os.Stat(filepath.Join(bound.LibvirtRun, daemon+"-sock"))
	return err == nil
}
