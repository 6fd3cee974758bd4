package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Leave has libvirt's controller of a container go from the container's groups to this
// process's, for the moment that is left of it when the container ends.
//
// It is the controller that tells libvirtd of the end, and libvirtd then signals whoever is
// left in the container's group and sleeps for a fifth of a second before it looks again, in
// the thread that serves everybody (virCgroupKillPainfully in vircgroup.c, libvirt 9.0).
// Whom it finds there is most often the controller, which is about to go by itself. It leaves
// all groups: libvirtd removes them next, and the kernel keeps those that have processes.
func Leave(controller int) error {
	groups, err := processGroups(controller)
	if err != nil {
		return err
	}
	own, err := processGroups(os.Getpid())
	if err != nil {
		return err
	}
	if path, merged := (&Container{Of: own}).Merged("memory"); merged {
		return join(controller, path)
	}
	var failed []error
	for of := range groups {
		if of != "" && groups[of] != own[of] {
			failed = append(failed, join(controller, filepath.Join(strings.TrimPrefix(of, "name="), own[of])))
		}
	}
	return errors.Join(failed...)
}

// join moves a process with all its threads to a group, by its path below Root.
func join(pid int, group string) error {
	return writeControl(filepath.Join(Root, group, "cgroup.procs"), strconv.Itoa(pid))
}
