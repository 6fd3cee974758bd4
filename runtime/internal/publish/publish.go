// Package publish has ports of the host lead to sandboxes.
package publish

import (
	"fmt"
	"path/filepath"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/forward"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// Listen takes the host's ports that are to lead to the sandbox, before anything is
// changed. argv is the program that will pass connections on.
func Listen(argv []string, s *bound.Sandbox) (*forward.Listeners, error) {
	ports := Ports(s.Metadata)
	if len(ports) > 0 && len(argv) == 0 {
		return nil, fmt.Errorf("%s publishes ports, and this program has no process that passes connections on: set runtime.Options.Forwarder", s.Name)
	}
	return forward.Listen(filepath.Join(s.Dir, state.Forward), ports)
}

// Start makes the host's ports lead to the running sandbox.
func Start(argv []string, s *bound.Sandbox, conn *libvirt.Connect, ports *forward.Listeners) error {
	c := forward.Command{
		Argv:   argv,
		Path:   filepath.Join(s.Dir, state.Forward),
		Ports:  ports,
		UserID: compiler.HelperID(s.Name),
	}
	if len(Ports(s.Metadata)) > 0 {
		dom, err := conn.LookupDomainByName(s.Name) // anew: one from before the start has no id
		if err != nil {
			return virt.Plain(err)
		}
		defer dom.Free()
		if c.PID = known.Of(s.Backend).Process(dom, s.Name); c.PID == 0 {
			return fmt.Errorf("its process on the host cannot be found, with which its published ports would end")
		}
	}
	return forward.Ensure(c)
}

// Stop gives the host's ports free.
func Stop(dir string) error {
	return forward.Stop(filepath.Join(dir, state.Forward))
}

// Ports are the host's that are to lead to a sandbox.
func Ports(m *compiler.Metadata) []forward.Port {
	var list []forward.Port
	for _, p := range m.Publish {
		list = append(list, forward.Port{Listen: p.Listen, Target: p.Target})
	}
	return list
}

// Show writes ports in one line: ":8080 to 10.0.0.2:80, [::1]:80 to …".
func Show(ports []forward.Port) string {
	var words []string
	for _, p := range ports {
		words = append(words, p.Listen+" to "+p.Target)
	}
	return strings.Join(words, ", ")
}

// Running are the host's that lead to the sandbox whose folder is dir.
func Running(dir string) ([]forward.Port, error) {
	return forward.Running(filepath.Join(dir, state.Forward))
}
