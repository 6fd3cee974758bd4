package machine

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// LimitProcesses gives the control group of the machine's commands: it holds so many
// processes and threads at most, besides the one thread that they are born from, and
// nothing of it is seen inside. No limit, 0, is no group.
func LimitProcesses(limit int) (*os.File, error) {
	if limit == 0 {
		return nil, nil
	}
	const tree = "/sys/fs/cgroup"
	if err := (mount{fstype: "cgroup2", target: tree, flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC}).make(); err != nil {
		return nil, fmt.Errorf("resources.pids cannot be enforced: %w", err)
	}
	defer unix.Unmount(tree, unix.MNT_DETACH)
	const group = tree + "/sandbox"
	if err := makeGroup(tree, group, limit); err != nil {
		return nil, fmt.Errorf("resources.pids cannot be enforced: %w", err)
	}
	return os.Open(group)
}

func makeGroup(tree, group string, limit int) error {
	if err := os.WriteFile(tree+"/cgroup.subtree_control", []byte("+pids"), 0); err != nil {
		return err
	}
	if err := os.Mkdir(group, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(group+"/cgroup.type", []byte("threaded"), 0); err != nil { // a thread of ours enters it, not we
		return err
	}
	return os.WriteFile(group+"/pids.max", []byte(strconv.Itoa(limit+1)), 0)
}

// Enter moves this thread into the group, where the children that it forks are
// born.
func Enter(group *os.File) error {
	fd, err := unix.Openat(int(group.Fd()), "cgroup.threads", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
		_, err = unix.Write(fd, []byte("0"))
	}
	if err != nil {
		return fmt.Errorf("resources.pids cannot be enforced: %w", err)
	}
	return nil
}
