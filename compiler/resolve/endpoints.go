package resolve

import (
	"maps"
	"path"
	"slices"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// endpointSuffixes and endpointFolders are the places where hosts have the sockets
// of their services (hier(7), file-hierarchy(7)).
var (
	endpointSuffixes = []string{".sock", ".socket", ".fifo"}
	endpointFolders  = []string{"/run", "/var/run"}
)

// endpoints remarks on paths that are, or are likely to hold, sockets that can be
// connected to though they are read-only, and of which the profile does not say so.
// In a machine they are of no use to anybody.
func (s *Sandbox) endpoints() (list diag.List) {
	if !s.Backend.SharesSockets() {
		return nil
	}
	for i, host := range s.Expose {
		list = append(list, s.endpoint(schema.Elem("expose", i), host, `if it is to use them, name it in mounts with sockets: true; else expose what is beside them`)...)
	}
	for _, at := range slices.Sorted(maps.Keys(s.Mounts)) {
		if m := s.Mounts[at]; !m.Sockets {
			list = append(list, s.endpoint(schema.Field("mounts", at)+".host", m.Host, `if it is to use them, say sockets: true; else mount what is beside them`)...)
		}
	}
	return list
}

func (s *Sandbox) endpoint(at, host, help string) diag.List {
	isIn := func(folder string) bool { return host != "" && isBelow(host+"/x", map[string]bool{folder: true}) }
	switch {
	case slices.Contains(endpointSuffixes, path.Ext(host)), slices.ContainsFunc(endpointFolders, isIn):
		d := s.remark(at, help, "%s is where a host has sockets, and read-only does not keep the sandbox from speaking with whoever listens there", host)
		d.Code = diag.Endpoint
		return diag.List{d}
	}
	return nil
}
