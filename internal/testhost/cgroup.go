package testhost

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// hierarchy is one mounted control group tree of the machine.
type hierarchy struct {
	mountpoint string
	fstype     string // "cgroup" or "cgroup2"
	options    string // what mounts the same tree again
}

// hierarchies lists the control group trees that libvirt is to see. Where
// version 1 trees hold the controllers, an empty version 2 tree beside them is
// left out: libvirt would try to use both.
func hierarchies() ([]hierarchy, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var v1, v2 []hierarchy
	for lines := bufio.NewScanner(f); lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		mount, source := strings.Fields(before), strings.Fields(after)
		if len(mount) < 5 || len(source) < 3 {
			continue
		}
		h := hierarchy{mountpoint: mount[4], fstype: source[0]}
		switch h.fstype {
		case "cgroup":
			h.options = mountOptions(source[2])
			v1 = append(v1, h)
		case "cgroup2":
			v2 = append(v2, h)
		}
	}
	if len(v1) > 0 {
		return v1, nil
	}
	return v2, nil
}

// mountOptions keeps of a version 1 tree's super options those that name the tree.
func mountOptions(super string) string {
	var keep []string
	for _, o := range strings.Split(super, ",") {
		switch {
		case o == "rw", o == "ro", o == "clone_children", strings.HasPrefix(o, "release_agent="):
		case strings.HasPrefix(o, "name="):
			keep = append(keep, "none", o)
		default:
			keep = append(keep, o)
		}
	}
	return strings.Join(keep, ",")
}

// group is the control group that holds a host, in every hierarchy.
type group struct {
	name string
	dirs []string
}

// makeGroup creates the group and removes those that killed programs left.
func makeGroup(name string) (*group, error) {
	trees, err := hierarchies()
	if err != nil {
		return nil, err
	}
	g := &group{name: name}
	for _, h := range trees {
		removeStale(h.mountpoint)
		dir := filepath.Join(h.mountpoint, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			g.remove()
			return nil, fmt.Errorf("cannot make a control group: %w", err)
		}
		g.dirs = append(g.dirs, dir)
		if err := inheritCPUs(h.mountpoint, dir); err != nil {
			g.remove()
			return nil, err
		}
	}
	return g, nil
}

// inheritCPUs fills the two values without which a version 1 cpuset takes no
// process.
func inheritCPUs(parent, dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		if _, err := os.Stat(filepath.Join(dir, "tasks")); err != nil {
			return nil // version 2 inherits by itself
		}
		value, err := os.ReadFile(filepath.Join(parent, name))
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), value, 0); err != nil {
			return err
		}
	}
	return nil
}

// remove takes the group away with everything that libvirt made in it. Its
// processes have been killed; the kernel takes a moment to forget them.
func (g *group) remove() {
	for _, dir := range g.dirs {
		for deadline := time.Now().Add(time.Minute); !removeTree(dir) && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// removeTree removes an empty control group and those below it, and says
// whether it is gone.
func removeTree(dir string) bool {
	var dirs []string
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	for _, d := range slices.Backward(dirs) {
		os.Remove(d)
	}
	_, err := os.Lstat(dir)
	return os.IsNotExist(err)
}

// removeStale removes the groups of programs that no longer run.
func removeStale(mountpoint string) {
	dirs, _ := filepath.Glob(filepath.Join(mountpoint, "sbx-test-*"))
	for _, dir := range dirs {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(dir), "sbx-test-%d", &pid); err != nil {
			continue
		}
		if syscall.Kill(pid, 0) == syscall.ESRCH {
			removeTree(dir)
		}
	}
}

// enterGroup moves this process into the group and makes the group the root of
// all that it will see of control groups. The caller's thread must be locked.
func enterGroup(name string) error {
	trees, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range trees {
		if err := os.WriteFile(filepath.Join(h.mountpoint, name, "cgroup.procs"), []byte("0"), 0); err != nil {
			return fmt.Errorf("cannot enter the control group: %w", err)
		}
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("cannot make a control group namespace: %w", err)
	}
	return nil
}

// mountGroups mounts the trees anew, so that they show the group as their root.
func mountGroups(trees []hierarchy) error {
	const top = "/sys/fs/cgroup"
	if len(trees) == 1 && trees[0].fstype == "cgroup2" {
		if err := unix.Mount("cgroup2", top, "cgroup2", 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", top, err)
		}
		return delegate(top)
	}
	if err := unix.Mount("tmpfs", top, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount %s: %w", top, err)
	}
	for _, h := range trees {
		if err := os.MkdirAll(h.mountpoint, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("cgroup", h.mountpoint, "cgroup", 0, h.options); err != nil {
			return fmt.Errorf("mount %s (%s): %w", h.mountpoint, h.options, err)
		}
	}
	return nil
}

// delegate moves this process below the group, because a version 2 group with
// processes of its own cannot hand its controllers down, and hands them down.
func delegate(top string) error {
	leaf := filepath.Join(top, "host")
	if err := os.Mkdir(leaf, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte("0"), 0); err != nil {
		return err
	}
	names, err := os.ReadFile(filepath.Join(top, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, c := range strings.Fields(string(names)) {
		if err := os.WriteFile(filepath.Join(top, "cgroup.subtree_control"), []byte("+"+c), 0); err != nil {
			return fmt.Errorf("cannot hand down the %s controller: %w", c, err)
		}
	}
	return nil
}
