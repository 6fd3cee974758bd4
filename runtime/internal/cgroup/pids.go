package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Limit sets the bounds of a running container for which libvirt's container driver
// has no element, or none that means the same under both versions of control groups;
// pids is how many processes and threads it may have, 0 for any number.
func Limit(dom *libvirt.Domain, name string, pids int) error {
	groups, err := Of(dom)
	if err != nil {
		return err
	}
	if err := groups.take(); err != nil {
		return err
	}
	if err := groups.limitSwap(); err != nil {
		return err
	}
	return groups.limitPids(dom, name, pids)
}

// limitSwap keeps a container's memory from being swapped out: a limit of memory
// alone does not count what is, so that a container could have all of the host's swap
// besides (Documentation/admin-guide/cgroup-v1/memory.rst, section 5.3, and
// cgroup-v2.rst, memory.swap.max). Version 2's zswap counts as swap.
func (g *Container) limitSwap() error {
	file := filepath.Join(Root, "memory", g.Of["memory"], "memory.swappiness")
	if path, merged := g.Merged("memory"); merged {
		file = filepath.Join(Root, path, "memory.swap.max")
	}
	if err := writeControl(file, "0"); err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without swap has no such file
		return fault.New(diag.Limits, "resources.memory cannot be enforced: %w", err)
	}
	return nil
}

// limitPids bounds the processes and threads of a running container, for which
// libvirt's container driver has no element. The bound stands in the control
// groups of the host, which the container does not see.
func (g *Container) limitPids(dom *libvirt.Domain, name string, limit int) error {
	if limit == 0 {
		return nil
	}
	if path, merged := g.Merged("pids"); merged {
		return limitMerged(path, g.controller, limit)
	}
	return limitSeparate(dom, g.controller, filepath.Join(Root, "memory", g.Of["memory"]), name, limit)
}

// ControllerOf is the process id of libvirt's controller of the container, which
// is the domain's id. dom may be older than the container, and know no id yet.
func ControllerOf(dom *libvirt.Domain) (int, error) {
	conn, err := dom.DomainGetConnect()
	if err != nil {
		return 0, virt.Plain(err)
	}
	defer conn.Close()
	name, err := dom.GetName()
	if err != nil {
		return 0, virt.Plain(err)
	}
	running, err := conn.LookupDomainByName(name)
	if err != nil {
		return 0, virt.Plain(err)
	}
	defer running.Free()
	id, err := running.GetID()
	return int(id), virt.Plain(err)
}

// processGroups gives the control groups of a process, by controller; version 2's
// is under the empty name (cgroups(7)).
func processGroups(pid int) (map[string]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil, err
	}
	groups := map[string]string{}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			return nil, fmt.Errorf("/proc/%d/cgroup: unexpected line %q", pid, line)
		}
		for controller := range strings.SplitSeq(fields[1], ",") {
			groups[controller] = fields[2]
		}
	}
	return groups, nil
}

// Root is where control groups are mounted.
const Root = "/sys/fs/cgroup"

// limitMerged writes the bound into the container's own group, which version 2
// has for all controllers. libvirt hands down only the controllers that it uses
// itself. The container's controller has its own tasks in the same group.
func limitMerged(path string, controller, limit int) error {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", controller))
	if err != nil {
		return err
	}
	if err := handDownPids(path); err != nil {
		return fault.New(diag.Limits, "resources.pids cannot be enforced: %w", err)
	}
	return writePidsMax(filepath.Join(Root, path), limit+len(tasks))
}

// handDownPids has every group above the given one count processes below it
// (Documentation/admin-guide/cgroup-v2.rst, "Enabling and Disabling").
func handDownPids(path string) error {
	dir := Root
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		control := filepath.Join(dir, "cgroup.subtree_control")
		enabled, err := os.ReadFile(control)
		if err != nil {
			return err
		}
		if !slices.Contains(strings.Fields(string(enabled)), "pids") {
			if err := writeControl(control, "+pids"); err != nil {
				return err
			}
		}
		dir = filepath.Join(dir, name)
	}
	return nil
}

// writeControl writes to a file that the kernel has made.
func writeControl(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func writePidsMax(dir string, limit int) error {
	err := writeControl(filepath.Join(dir, "pids.max"), strconv.Itoa(limit))
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(diag.Limits, "resources.pids cannot be enforced: this host's control groups do not count processes (%w)", err)
	}
	return err
}

// pidsGroup is the sandbox's group in version 1's tree of processes, where
// libvirt makes none.
func pidsGroup(name string) string { return filepath.Join(Root, "pids", "machine", "sbx-"+name) }

// limitSeparate makes a group for the container and moves its processes there,
// while they are frozen so that none can be born elsewhere in between. A
// container that was left frozen runs again afterwards.
func limitSeparate(dom *libvirt.Domain, controller int, from, name string, limit int) error {
	dir := pidsGroup(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fault.New(diag.Limits, "resources.pids cannot be enforced: %w", err)
	}
	if err := writePidsMax(dir, limit); err != nil {
		return err
	}
	if err := freeze(dom); err != nil {
		return virt.Plain(err)
	}
	moved := moveProcesses(from, dir, strconv.Itoa(controller))
	return errors.Join(moved, virt.Plain(dom.Resume()))
}

// freezeTries is how often a container is frozen anew where libvirt gives it up,
// which it does after a second.
const freezeTries = 5

// freeze stops all that runs in a container, if it is not frozen. That fails while a
// process waits for the container's controller, which is frozen with it: as it does
// where it reads /proc/meminfo. libvirt lets all run again then.
func freeze(dom *libvirt.Domain) (err error) {
	for range freezeTries {
		if err = dom.Suspend(); virt.ErrorCode(err) != libvirt.ERR_OPERATION_FAILED {
			break
		}
	}
	if virt.ErrorCode(err) == libvirt.ERR_OPERATION_INVALID { // it is frozen
		return nil
	}
	return err
}

// moveProcesses moves every process of one group to another, but one.
func moveProcesses(from, to, except string) error {
	text, err := os.ReadFile(filepath.Join(from, "cgroup.procs"))
	if err != nil {
		return err
	}
	for pid := range strings.FieldsSeq(string(text)) {
		if pid == except {
			continue
		}
		if err := writeControl(filepath.Join(to, "cgroup.procs"), pid); err != nil {
			return fmt.Errorf("cannot move process %s to %s: %w", pid, to, err)
		}
	}
	return nil
}

// ReleasePids removes the group that limitPids made, if it did, with all that was
// made below it: the kernel removes no group that has others.
func ReleasePids(name string) error {
	limit := time.Now().Add(virt.LetGoLimit)
	for {
		err := removeGroup(pidsGroup(name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case !errors.Is(err, unix.EBUSY) || time.Now().After(limit):
			return err
		}
		time.Sleep(time.Millisecond) // a container that ends has processes for a moment yet
	}
}

// removeGroup removes a control group and those in it. What else is in a group is
// the kernel's, and goes with it.
func removeGroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeGroup(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return os.Remove(dir)
}
