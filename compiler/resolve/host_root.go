package resolve

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/rootsockets"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// allIDs warns of the host's folders in which root inside is root.
func (s *Sandbox) allIDs() (list diag.List) {
	for _, m := range s.Manifest.Mounts {
		if !slices.Contains(m.IDs, manifest.AllIDs) {
			continue
		}
		at := schema.Field("mounts", m.Target) + ".ids"
		list = append(list, &diag.Diagnostic{Pos: s.Source.Pos(at), Severity: diag.Warning, Code: diag.HostRoot, Path: at,
			Message: fmt.Sprintf("root inside is root in the host's %s", m.Source),
			Help:    `name the users and groups that are to use it, as in ids: ["redis"]`})
	}
	return list
}

// rootSockets warns of what listens on the host and does as root what it is asked, where
// the sandbox can come at it.
func (s *Sandbox) rootSockets() (list diag.List) {
	if !s.Backend.SharesSockets() {
		return nil
	}
	warn := func(at, host string) {
		if root := rootsockets.In(host); root != "" {
			list = append(list, &diag.Diagnostic{Pos: s.Source.Pos(at), Severity: diag.Warning, Code: diag.HostRoot, Path: at, Message: root,
				Help: "leave it out: the socket's owner and mode alone decide whether what is inside may connect"})
		}
	}
	for i, host := range s.Expose {
		warn(schema.Elem("expose", i), host)
	}
	for _, at := range slices.Sorted(maps.Keys(s.Mounts)) {
		warn(schema.Field("mounts", at)+".host", s.Mounts[at].Host)
	}
	return list
}

// hostRoot warns of a container without user ids of its own.
func (s *Sandbox) hostRoot() diag.List {
	const at = "users.namespace"
	if !s.Backend.MapsUsers() || s.Users.Namespace {
		return nil
	}
	return diag.List{{Pos: s.Source.Pos(at), Severity: diag.Warning, Code: diag.HostRoot, Path: at,
		Message: "root inside is root on the host",
		Help:    "leave users out, and give what must be written to the sandbox's own id (sbx inspect); or use backend: \"kvm\""}}
}
