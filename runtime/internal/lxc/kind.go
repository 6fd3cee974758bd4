package lxc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/internal/oomkill"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/cgroup"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/selinux"
	"github.com/sbx-dev/sbx/schema"
)

// Kind is namespaces of the host's own kernel, which libvirt's driver for LXC
// makes.
var Kind = kinds.Kind{
	Name:    schema.LXC,
	Driver:  "lxc",
	Backend: func(h *kinds.Host) kinds.Backend { return backend{h} },
	Bind:    bindContainer,

	Made:     []string{state.Root, state.Own, state.Files},
	Manifest: state.Own,
	State:    []string{state.Inits},
	Leaves:   []string{".dev", ".devpts", ".fuse", ".sock"}, // the controller's, which mounts there what only it sees

	Signals:   true,
	Resizes:   true,
	Limit:     limit,
	Mapped:    true,
	StopGrace: stopGrace,

	Process: controllerID,
	Leave:   cgroup.Leave,
	First:   firstChild,
	Kills:   groupKills,
	Memory:  groupMemory,
}

// bindContainer has the domain name the stage, and SELinux's type of containers.
func bindContainer(_ *kinds.Host, s *bound.Sandbox) error {
	s.StageRoot()
	s.SELinux = selinux.ContainerType
	return nil
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

// stopGrace is what a first process may take to stop beyond its service's time.
const stopGrace = 15 * time.Second

// firstChild is the only child that libvirt's controller of a container has: the
// container's first process.
func firstChild(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0
	}
	var child int
	if _, err := fmt.Sscan(string(bytes.TrimSpace(text)), &child); err != nil {
		return 0
	}
	return child
}
