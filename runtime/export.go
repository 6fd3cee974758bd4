package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs"
)

// checkExport refuses a host path that libvirt could not hand to a container in
// a user namespace, or could hand over only in part, and says why.
func checkExport(m initramfs.Mount) error {
	if _, err := os.Stat(m.Source); err != nil {
		return fmt.Errorf("%s is exposed: %w", m.Source, err)
	}
	inside, err := mountsBelow(m.Source)
	if err != nil {
		return err
	}
	if len(inside) > 0 {
		return fmt.Errorf("%s is exposed, but %s is mounted inside it, which the kernel does not let into a user namespace: expose what is needed of it path by path, or unmount that", m.Source, inside[0])
	}
	return nil
}

// prepareWritable makes the folder of a writable mount, owned by the sandbox's
// root, where there is none. One that is there must be the sandbox's own: sbx
// changes no owner of what it did not make.
func prepareWritable(m initramfs.Mount, base int) error {
	info, err := os.Stat(m.Source)
	if errors.Is(err, fs.ErrNotExist) {
		if err := mkdirAll(m.Source); err != nil {
			return err
		}
		return setOwner(m.Source, base, base, 0o755)
	}
	if err != nil {
		return err
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	if base != 0 && (owner < base || owner >= base+compiler.IDCount) {
		return fmt.Errorf("%s is to be writable, but belongs to the host's user %d, whom the sandbox does not have: chown -R %d:%d %s", m.Source, owner, base, base, m.Source)
	}
	return nil
}
