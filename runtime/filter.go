package runtime

import (
	"fmt"
	"time"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// ensureFilter makes libvirt's filter the one of the document and says whether
// it was another one before. Interfaces that are bound to it follow at once;
// libvirt itself leaves them alone where the rules are the same.
func ensureFilter(conn *libvirt.Connect, document []byte) (changed bool, err error) {
	f := new(libvirtxml.NWFilter)
	if err := f.Unmarshal(string(document)); err != nil {
		return false, fmt.Errorf("the bundle's filter: %w", err)
	}
	before, err := filterText(conn, f.Name, f.UUID)
	if err != nil {
		return false, err
	}
	defined, err := conn.NWFilterDefineXML(string(document))
	if err != nil {
		return false, fmt.Errorf("filter %s: %w", f.Name, plain(err))
	}
	defer defined.Free()
	after, err := defined.GetXMLDesc(0)
	if err != nil {
		return false, fmt.Errorf("filter %s: %w", f.Name, plain(err))
	}
	return before != after, nil
}

// filterText is the filter as libvirt writes it, or nothing where there is
// none. Another UUID than sbx derives from the name means another maker.
func filterText(conn *libvirt.Connect, name, uuid string) (string, error) {
	filter, err := conn.LookupNWFilterByName(name)
	if errorCode(err) == libvirt.ERR_NO_NWFILTER {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("filter %s: %w", name, plain(err))
	}
	defer filter.Free()
	found, err := filter.GetUUIDString()
	if err != nil {
		return "", fmt.Errorf("filter %s: %w", name, plain(err))
	}
	if found != uuid {
		return "", &foreignError{"filter", name, "rename the profile, or remove the filter with virsh nwfilter-undefine"}
	}
	text, err := filter.GetXMLDesc(0)
	if err != nil {
		return "", fmt.Errorf("filter %s: %w", name, plain(err))
	}
	return text, nil
}

// removeFilter removes a filter that sbx made, if it is there. Another maker's
// stays. A domain that has just been stopped holds its filter for a moment.
func removeFilter(conn *libvirt.Connect, name, uuid string) error {
	text, err := filterText(conn, name, uuid)
	if text == "" || err != nil {
		return unlessForeign(err)
	}
	filter, err := conn.LookupNWFilterByName(name)
	if err != nil {
		return fmt.Errorf("filter %s: %w", name, plain(err))
	}
	defer filter.Free()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := filter.Undefine()
		switch {
		case err == nil, errorCode(err) == libvirt.ERR_NO_NWFILTER:
			return nil
		case errorCode(err) != libvirt.ERR_OPERATION_INVALID || time.Now().After(deadline):
			return fmt.Errorf("filter %s: %w", name, plain(err))
		}
	}
}
