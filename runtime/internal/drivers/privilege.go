package drivers

import (
	"fmt"
	"net/url"
	"os"

	"github.com/sbx-dev/sbx/schema/diag"
)

// needRoot is why this user cannot work on the sandboxes of a connection, though
// libvirtd may well let the user connect, as it does a member of Debian's group
// libvirt: what a sandbox is made of on this machine, its files, its ids and its
// channel, is root's. A connection of the user's own (…:///session) and those to
// other machines are left to libvirt.
func needRoot(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || os.Geteuid() == 0 || !onThisMachine(u) || u.Path != "/system" {
		return err
	}
	return &rootError{uri}
}

// rootError says that only root can do this.
type rootError struct{ uri string }

// Code implements fault.Coded.
func (e *rootError) Code() string { return diag.NotRoot }

func (e *rootError) Error() string {
	return fmt.Sprintf("sandboxes of %s are root's, and you are user %d: run sbx as root (sudo sbx …); what works as you is sbx run --backend kvm", e.uri, os.Geteuid())
}
