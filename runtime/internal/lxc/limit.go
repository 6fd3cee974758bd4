package lxc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/ulimits"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/cgroup"
	"github.com/sbx-dev/sbx/runtime/internal/proc"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// limit sets the bounds of a running container and the kernel's settings that it has for
// itself, as far as that takes the host's own root. Its first process waits for the host
// where its command would be without them.
func limit(s *bound.Sandbox, dom *libvirt.Domain) error {
	if err := cgroup.Limit(dom, s.Name, s.Manifest.Run.Pids); err != nil {
		return err
	}
	if len(s.Manifest.Run.Limits) == 0 && len(s.Manifest.Sysctls) == 0 {
		return nil
	}
	return withFirst(dom, func(pid, pidfd int) error {
		if err := ulimits.Raise(pid, s.Manifest.Run.Limits); err != nil {
			return fault.Because(diag.Limits, err)
		}
		// A number is given anew once its process has ended; that one has not.
		if err := unix.PidfdSendSignal(pidfd, 0, nil, 0); err != nil {
			return err
		}
		return setSysctls(pidfd, s.Base(), s.Manifest.Sysctls)
	})
}

// withFirst calls do with the container's first process.
func withFirst(dom *libvirt.Domain, do func(pid, pidfd int) error) error {
	controller, err := cgroup.ControllerOf(dom)
	if err != nil {
		return err
	}
	pid := firstChild(controller)
	if pid == 0 {
		return errEnded
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return errEnded
	}
	defer unix.Close(pidfd)
	if firstChild(controller) != pid { // it had ended, and the number is another's
		return errEnded
	}
	if err := do(pid, pidfd); !errors.Is(err, unix.ESRCH) {
		return err
	}
	return errEnded
}

var errEnded = errors.New("the container's first process has ended")

// setSysctls sets the kernel's settings of a process's network and System V IPC, whose
// root is that id of the host's. It does so from within those alone: inside, libvirt has
// most of them read-only.
func setSysctls(pidfd, root int, list []manifest.Sysctl) error {
	if len(list) == 0 {
		return nil
	}
	return proc.OnThread(func() error {
		if err := unix.Setns(pidfd, unix.CLONE_NEWNET|unix.CLONE_NEWIPC); err != nil {
			return fmt.Errorf("sysctls: cannot come at what the container has for itself: %w", err)
		}
		for _, s := range list {
			if err := setSysctl(s, root); err != nil {
				return err
			}
		}
		return nil
	})
}

// setSysctl sets one, as the host's root or else as the container's: which of them may is
// another matter for IPC than for the network (ipc_permissions and net_ctl_permissions in
// the kernel's sources).
func setSysctl(s manifest.Sysctl, root int) error {
	err := writeSysctl(s)
	if errors.Is(err, fs.ErrPermission) {
		err = asUser(root, func() error { return writeSysctl(s) })
	}
	at := schema.Field("sysctls", s.Name)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return fault.New(diag.Sysctl, "%s: this host's kernel has no such setting that is a container's own: %w; leave it to the host, or use a machine (backend: %q)", at, err, schema.KVM)
	}
	return fault.New(diag.Sysctl, "%s: the kernel does not take %q: %w", at, s.Value, err)
}

func writeSysctl(s manifest.Sysctl) error {
	f, err := os.OpenFile(filepath.Join("/proc/sys", strings.ReplaceAll(s.Name, ".", "/")), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(s.Value)
	return errors.Join(err, f.Close())
}

// asUser does something on this thread, and on no other, as another user of the host.
func asUser(id int, do func() error) error {
	const same = ^uintptr(0)
	become := func(id int) error {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, same, uintptr(id), same); errno != 0 {
			return os.NewSyscallError("setresuid", errno)
		}
		return nil
	}
	if err := become(id); err != nil {
		return err
	}
	return errors.Join(do(), become(0))
}
