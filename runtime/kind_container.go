package runtime

import (
	"path/filepath"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/internal/oomkill"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/cgroup"
	"github.com/sbx-dev/sbx/schema"
)

// container is namespaces of the host's own kernel, which libvirt's driver for LXC
// makes.
var container = kind{
	name:    schema.LXC,
	driver:  "lxc",
	backend: func(r *Runtime) backend { return lxc{r} },
	bind:    func(_ *Runtime, s *bound.Sandbox) error { s.StageRoot(); return nil },

	made:     []string{state.Root, state.Own, state.Files},
	manifest: state.Own,
	state:    []string{state.Inits},

	signals:   true,
	resizes:   true,
	limited:   true,
	mapped:    true,
	stopGrace: stopGrace,

	process: controllerID,
	first:   firstChild,
	kills:   groupKills,
	memory:  groupMemory,
}

// controllerID is libvirt's controller of a container, which is also the domain's
// id.
func controllerID(dom *libvirt.Domain, _ string) int {
	id, err := dom.GetID()
	if err != nil {
		return 0
	}
	return int(id)
}

// groupMemory is a container's control group's use.
func groupMemory(_ *libvirt.Domain, info *libvirt.DomainInfo) int64 { return int64(info.Memory) * 1024 }

// groupKills is how many processes of a running container the kernel has killed
// because its memory was full, as the host's control groups count them.
func groupKills(dom *libvirt.Domain) uint64 {
	groups, err := cgroup.Of(dom)
	if err != nil {
		return 0
	}
	file := filepath.Join(cgroup.Root, "memory", groups.Of["memory"], "memory.oom_control")
	if path, merged := groups.Merged("memory"); merged {
		file = filepath.Join(cgroup.Root, path, "memory.events")
	}
	return oomkill.Count(file)
}
