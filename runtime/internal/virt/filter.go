package virt

import (
	"fmt"
	"slices"
	"time"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// EnsureFilter makes libvirt's filter the one of the document. Interfaces that
// are bound to it follow at once. libvirt leaves their rules alone where the
// filter is the same; with renew it makes them anew even so.
func EnsureFilter(conn *libvirt.Connect, document []byte, renew bool) error {
	f := new(libvirtxml.NWFilter)
	if err := f.Unmarshal(string(document)); err != nil {
		return fmt.Errorf("the bundle's filter: %w", err)
	}
	if _, err := FilterText(conn, f.Name, f.UUID); err != nil { // another maker's
		return err
	}
	if renew {
		if err := defineFilter(conn, f.Name, unlike(f)); err != nil {
			return err
		}
	}
	return defineFilter(conn, f.Name, f)
}

// unlike is a filter that means the same and is not equal: it drops once more
// what the last of its rules drops.
func unlike(f *libvirtxml.NWFilter) *libvirtxml.NWFilter {
	other := *f
	drop := &libvirtxml.NWFilterRule{Action: "drop", Direction: "inout", Priority: 1000, All: &libvirtxml.NWFilterRuleAll{}}
	other.Entries = append(slices.Clip(f.Entries), libvirtxml.NWFilterEntry{Rule: drop})
	return &other
}

func defineFilter(conn *libvirt.Connect, name string, f *libvirtxml.NWFilter) error {
	text, err := f.Marshal()
	if err != nil {
		return fmt.Errorf("filter %s: %w", name, err)
	}
	defined, err := conn.NWFilterDefineXML(text)
	if err != nil {
		return fmt.Errorf("filter %s: %w", name, Plain(err))
	}
	return defined.Free()
}

// FilterText is the filter as libvirt writes it, or nothing where there is
// none. Another UUID than sbx derives from the name means another maker.
func FilterText(conn *libvirt.Connect, name, uuid string) (string, error) {
	filter, err := conn.LookupNWFilterByName(name)
	if ErrorCode(err) == libvirt.ERR_NO_NWFILTER {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("filter %s: %w", name, Plain(err))
	}
	defer filter.Free()
	found, err := filter.GetUUIDString()
	if err != nil {
		return "", fmt.Errorf("filter %s: %w", name, Plain(err))
	}
	if found != uuid {
		return "", &foreignError{"filter", name, "rename the profile, or remove the filter with virsh nwfilter-undefine"}
	}
	text, err := filter.GetXMLDesc(0)
	if ErrorCode(err) == libvirt.ERR_NO_NWFILTER { // removed meanwhile
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("filter %s: %w", name, Plain(err))
	}
	return text, nil
}

// LetGoLimit is how long a domain that has been stopped may hold its filter, and its
// processes their control group.
const LetGoLimit = 30 * time.Second

// RemoveFilter removes a filter that sbx made, if it is there. Another maker's
// stays. A domain that has just been stopped holds its filter for a moment, for as
// long as libvirt takes to remove its rules.
func RemoveFilter(conn *libvirt.Connect, name, uuid string) error {
	text, err := FilterText(conn, name, uuid)
	if text == "" || err != nil {
		return UnlessForeign(err)
	}
	filter, err := conn.LookupNWFilterByName(name)
	if ErrorCode(err) == libvirt.ERR_NO_NWFILTER { // removed meanwhile
		return nil
	}
	if err != nil {
		return fmt.Errorf("filter %s: %w", name, Plain(err))
	}
	defer filter.Free()
	for deadline := time.Now().Add(LetGoLimit); ; time.Sleep(10 * time.Millisecond) {
		err := filter.Undefine()
		switch {
		case err == nil, ErrorCode(err) == libvirt.ERR_NO_NWFILTER:
			return nil
		case ErrorCode(err) != libvirt.ERR_OPERATION_INVALID || time.Now().After(deadline):
			return fmt.Errorf("filter %s: %w", name, Plain(err))
		}
	}
}
