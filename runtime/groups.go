package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"libvirt.org/go/libvirt"
)

// takeGroups takes the control groups of a running container back from it. Those of
// version 1 are the host's anyway.
func takeGroups(dom *libvirt.Domain) error {
	controller, err := controllerOf(dom)
	if err != nil {
		return err
	}
	groups, err := processGroups(controller)
	if err != nil {
		return err
	}
	path, merged := groups[""]
	if !merged || groups["memory"] != "" {
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
