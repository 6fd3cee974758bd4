package virt

import (
	"fmt"
	"slices"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/schema"
)

// FiltersOf are the filters that sbx made for the named sandbox: for its only
// interface, or for each of several.
func FiltersOf(conn *libvirt.Connect, sandbox string) ([]string, error) {
	own, err := OwnFilters(conn)
	return slices.DeleteFunc(own, func(name string) bool { return !IsFilterOf(name, sandbox) }), err
}

// OwnFilters are all filters that sbx made.
func OwnFilters(conn *libvirt.Connect) ([]string, error) {
	all, err := conn.ListAllNWFilters(0)
	if err != nil {
		return nil, fmt.Errorf("cannot list filters: %w", Plain(err))
	}
	var own []string
	for i := range all {
		name, nameErr := all[i].GetName()
		uuid, uuidErr := all[i].GetUUIDString()
		all[i].Free()
		if nameErr == nil && uuidErr == nil && uuid == compiler.UUID("filter", name) { // else it is gone meanwhile, or another's
			own = append(own, name)
		}
	}
	return own, nil
}

// SandboxOf is the name of the sandbox that a filter of sbx's, or an inner wall, is of;
// "" where it is called as none is.
func SandboxOf(filter string) string {
	sandbox, is := strings.CutPrefix(filter, "sbx-")
	sandbox, _, _ = strings.Cut(sandbox, ".")
	if !is || !schema.IsName(sandbox) {
		return ""
	}
	return sandbox
}

// IsFilterOf says whether a filter that sbx made for the named sandbox may be called so.
func IsFilterOf(name, sandbox string) bool {
	return name == "sbx-"+sandbox || strings.HasPrefix(name, "sbx-"+sandbox+".")
}

// OwnNetworks are all networks that sbx made.
func OwnNetworks(conn *libvirt.Connect) ([]string, error) {
	all, err := conn.ListAllNetworks(0)
	if err != nil {
		return nil, fmt.Errorf("cannot list networks: %w", Plain(err))
	}
	var own []string
	for i := range all {
		name, nameErr := all[i].GetName()
		uuid, uuidErr := all[i].GetUUIDString()
		all[i].Free()
		if nameErr == nil && uuidErr == nil && uuid == compiler.UUID("network", name) {
			own = append(own, name)
		}
	}
	return own, nil
}
