package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"libvirt.org/go/libvirt"
)

// containerGroups are the control groups of a running container.
type containerGroups struct {
	controller int               // libvirt's process for the container, which is in them, too
	of         map[string]string // by controller (processGroups)
}

func groupsOf(dom *libvirt.Domain) (*containerGroups, error) {
	controller, err := controllerOf(dom)
	if err != nil {
		return nil, err
	}
	of, err := processGroups(controller)
	return &containerGroups{controller, of}, err
}

// merged is the container's group of version 2, if that has the controller.
func (g *containerGroups) merged(controller string) (path string, is bool) {
	path, is = g.of[""]
	return path, is && g.of[controller] == ""
}

// take takes the control groups back from the container. Those of version 1 are the
// host's anyway.
func (g *containerGroups) take() error {
	path, merged := g.merged("memory")
	if !merged {
		return nil
	}
	if err := takeBack(filepath.Join(groupRoot, path)); err != nil {
		return fmt.Errorf("the container's control groups cannot be closed to it: %w", err)
	}
	return nil
}

// takeBack gives a container's group of version 2, and all below it, to the host's
// root. libvirt gives them to the container's (virCgroupV2SetOwner in libvirt's
// vircgroupv2.c), who could lift every limit there wherever it gets to mount them.
func takeBack(group string) error {
	root, err := os.OpenRoot(group)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = root.Lchown(path, 0, 0)
		}
		if errors.Is(err, fs.ErrNotExist) { // it is gone by now
			return nil
		}
		return err
	})
}
