package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"libvirt.org/go/libvirt"
)

// Container are the control groups of a running container.
type Container struct {
	controller int               // libvirt's process for the container, which is in them, too
	Of         map[string]string // by controller (processGroups)
}

// Of looks up the control groups of a running container.
func Of(dom *libvirt.Domain) (*Container, error) {
	controller, err := ControllerOf(dom)
	if err != nil {
		return nil, err
	}
	of, err := processGroups(controller)
	return &Container{controller, of}, err
}

// Merged is the container's group of version 2, if that has the controller.
func (g *Container) Merged(controller string) (path string, is bool) {
	path, is = g.Of[""]
	return path, is && g.Of[controller] == ""
}

// take takes the control groups back from the container. Those of version 1 are the
// host's anyway.
func (g *Container) take() error {
	path, merged := g.Merged("memory")
	if !merged {
		return nil
	}
	if err := takeBack(filepath.Join(Root, path)); err != nil {
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
