package resolve

import (
	"github.com/sbx-dev/sbx/schema/diag"
)

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
