package virt

import (
	"fmt"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
)

// FiltersOf are the filters that sbx made for the named sandbox: for its only
// interface, or for each of several.
func FiltersOf(conn *libvirt.Connect, sandbox string) ([]string, error) {
	all, err := conn.ListAllNWFilters(0)
	if err != nil {
		return nil, fmt.Errorf("cannot list filters: %w", Plain(err))
	}
	var own []string
	for i := range all {
		name, nameErr := all[i].GetName()
		uuid, uuidErr := all[i].GetUUIDString()
		all[i].Free()
		if nameErr != nil || uuidErr != nil {
			continue // gone meanwhile
		}
		if IsFilterOf(name, sandbox) && uuid == compiler.UUID("filter", name) {
			own = append(own, name)
		}
	}
	return own, nil
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
