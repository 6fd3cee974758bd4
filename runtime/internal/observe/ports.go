package observe

import (
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/forward"
	"github.com/sbx-dev/sbx/internal/state"
)

// Ports are the host's that are to lead to a sandbox.
func Ports(m *compiler.Metadata) []forward.Port {
	var list []forward.Port
	for _, p := range m.Publish {
		list = append(list, forward.Port{Listen: p.Listen, Target: p.Target})
	}
	return list
}

// showPorts writes ports in one line: ":8080 to 10.0.0.2:80, [::1]:80 to …".
func showPorts(ports []forward.Port) string {
	var words []string
	for _, p := range ports {
		words = append(words, p.Listen+" to "+p.Target)
	}
	return strings.Join(words, ", ")
}

// PublishedPorts are the host's that lead to the sandbox whose folder is dir.
func PublishedPorts(dir string) ([]forward.Port, error) {
	return forward.Running(filepath.Join(dir, state.Forward))
}
