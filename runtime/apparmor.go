package runtime

import (
	"fmt"
	"slices"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/schema"
)

// AppArmorMend lets machines start where AppArmor refuses them, at the price of
// that wall around every machine of the host.
const AppArmorMend = `set security_driver = "none" in /etc/libvirt/qemu.conf and restart libvirtd, which takes AppArmor's wall from all machines of the host; or use the backend lxc`

// refusedByAppArmor adds the cause and the mend to libvirt's word for an AppArmor
// profile that its helper could not make.
func refusedByAppArmor(err error) error {
	if err == nil || !strings.Contains(err.Error(), "cannot load AppArmor profile") {
		return err
	}
	return fmt.Errorf("%w\nlibvirt's virt-aa-helper refuses a file that this machine needs (journalctl -u libvirtd names it): %s", err, AppArmorMend)
}

// AppArmorConfines says whether libvirt confines machines by AppArmor.
func (r *Runtime) AppArmorConfines() (bool, error) {
	conn, err := r.connect(schema.KVM)
	if err != nil {
		return false, err
	}
	text, err := conn.GetCapabilities()
	if err != nil {
		return false, plain(err)
	}
	var found libvirtxml.Caps
	if err := found.Unmarshal(text); err != nil {
		return false, err
	}
	return slices.ContainsFunc(found.Host.SecModel, func(m libvirtxml.CapsHostSecModel) bool { return m.Name == "apparmor" }), nil
}
