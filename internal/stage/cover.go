package stage

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/hostpath"
	"github.com/sbx-dev/sbx/internal/within"
)

// isControl are the file systems by which the kernel is controlled or which stand
// for objects of it. They have no place in a sandbox, which has its own.
var isControl = map[string]bool{
	"autofs": true, "binfmt_misc": true, "bpf": true, "cgroup": true, "cgroup2": true, "configfs": true,
	"debugfs": true, "devpts": true, "devtmpfs": true, "efivarfs": true, "fusectl": true, "hugetlbfs": true,
	"mqueue": true, "nfsd": true, "nsfs": true, "proc": true, "pstore": true, "resctrl": true,
	"rpc_pipefs": true, "securityfs": true, "selinuxfs": true, "smackfs": true, "sysfs": true, "tracefs": true,
}

// mounted is a mount as proc_pid_mountinfo(5) tells it.
type mounted struct {
	id    uint64
	point string
	kind  string
}

// controlMagic are those of them that can be told by their numbers (statfs(2),
// linux/magic.h).
var controlMagic = map[int64]string{
	unix.BINFMTFS_MAGIC: "binfmt_misc", unix.BPF_FS_MAGIC: "bpf", unix.CGROUP_SUPER_MAGIC: "cgroup",
	unix.CGROUP2_SUPER_MAGIC: "cgroup2", unix.DEBUGFS_MAGIC: "debugfs", unix.DEVPTS_SUPER_MAGIC: "devpts",
	unix.EFIVARFS_MAGIC: "efivarfs", unix.NSFS_MAGIC: "nsfs", unix.PROC_SUPER_MAGIC: "proc",
	unix.PSTOREFS_MAGIC: "pstore", unix.SECURITYFS_MAGIC: "securityfs", unix.SELINUX_MAGIC: "selinuxfs",
	unix.SMACK_MAGIC: "smackfs", unix.SYSFS_MAGIC: "sysfs", unix.TRACEFS_MAGIC: "tracefs",
	0x62656570: "configfs",
}

// Mount is something that is mounted below a folder of the host.
type Mount struct {
	Path    string
	Kind    string // the file system's name
	Covered bool   // a sandbox sees nothing of it
}

// Table is what is mounted on the host.
type Table []mounted

// Mounts reads the table.
func Mounts() (Table, error) { return mountInfo() }

// Below lists what is mounted below a path of the host, which sandboxes see with
// it or see covered.
func (t Table) Below(path string) []Mount {
	var list []Mount
	for _, m := range t {
		if m.point != path && within.Dir(m.point, path) {
			list = append(list, Mount{m.point, m.kind, isControl[m.kind]})
		}
	}
	return list
}

// At says whether something is mounted on a path of the host itself.
func (t Table) At(path string) bool {
	return slices.ContainsFunc(t, func(m mounted) bool { return m.point == path })
}

// coverTries is how often the stage is looked at anew while somebody renames folders
// that something is mounted in.
const coverTries = 20

// cover takes the kernel's own file systems out of the stage and puts something
// empty in their place. A mount that is itself hidden by another one stays so:
// nobody in a sandbox can take the other one away. One that is not found at its
// place, and that nothing hides, is somewhere else by now.
func (s *Stage) cover() error {
	for range coverTries {
		table, err := mountInfo()
		if err != nil {
			return err
		}
		lost, err := s.coverAll(table)
		if err != nil || !lost {
			return err
		}
	}
	return errors.New("folders are renamed in it all the time, so that the kernel's own file systems cannot be taken out: try again when that has ended")
}

// coverAll covers what it finds; lost says that it did not find something.
func (s *Stage) coverAll(table Table) (lost bool, err error) {
	for i, m := range slices.Backward(table) { // what is mounted on another one comes after it
		if m.point == s.dir || !within.Dir(m.point, s.dir) || !isControl[m.kind] || s.figures[m.id] {
			continue
		}
		found, err := s.coverOne(m)
		if err != nil {
			return false, fmt.Errorf("cannot cover %s: %w", m.point, err)
		}
		lost = lost || !found && !table.hides(i, s.dir)
	}
	return lost, nil
}

// hides says whether something below dir was mounted later at the place of the i-th
// mount, or above it.
func (t Table) hides(i int, dir string) bool {
	return slices.ContainsFunc(t[i+1:], func(later mounted) bool {
		return later.point != dir && within.Dir(later.point, dir) && within.Dir(t[i].point, later.point)
	})
}

// coverOne covers a mount, if it is what stands at its place.
func (s *Stage) coverOne(m mounted) (found bool, err error) {
	f, err := hostpath.At(s.root, strings.TrimPrefix(m.point, s.dir), unix.O_PATH|unix.O_NOFOLLOW, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_SYMLINKS)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	id, err := mountID(f)
	if err != nil || id != m.id {
		return false, err
	}
	var info unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &info); err != nil {
		return false, err
	}
	// By the descriptor's own name: what is mounted in a stage lies in folders that
	// somebody else may be able to rename.
	if err := unix.Unmount(hostpath.Descriptor(f), unix.MNT_DETACH); err != nil {
		return false, err
	}
	return true, s.putNothing(strings.TrimPrefix(m.point, s.dir), info.Mode&unix.S_IFMT == unix.S_IFDIR)
}

// putNothing mounts an empty folder or file at a path of the stage.
func (s *Stage) putNothing(at string, dir bool) error {
	point, err := hostpath.At(s.root, at, unix.O_PATH|unix.O_NOFOLLOW, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return err
	}
	defer point.Close()
	return s.attachNothing(point, dir)
}

// attachNothing mounts an empty folder or file on an open one.
func (s *Stage) attachNothing(point *os.File, dir bool) error {
	name := ".nothing" + strconv.Itoa(s.covers)
	s.covers++
	if err := makeNode(s.root, name, dir); err != nil {
		return err
	}
	nothing, err := hostpath.At(s.root, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer nothing.Close()
	tree, err := clone(nothing)
	if err != nil {
		return err
	}
	defer tree.Close()
	return attach(tree, point)
}

func mountID(f *os.File) (uint64, error) {
	var info unix.Statx_t
	if err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &info); err != nil {
		return 0, err
	}
	return info.Mnt_id, nil
}

// mountInfo lists the mounts of this process's namespace.
func mountInfo() ([]mounted, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []mounted
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(before)
		if !ok || len(fields) < 5 {
			return nil, fmt.Errorf("/proc/self/mountinfo: unexpected line %q", lines.Text())
		}
		id, err := strconv.ParseUint(fields[0], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("/proc/self/mountinfo: %w", err)
		}
		kind, _, _ := strings.Cut(after, " ")
		list = append(list, mounted{id, filepath.Clean(unescape(fields[4])), kind})
	}
	return list, lines.Err()
}

// unescape replaces the octal escapes by which the kernel writes spaces, tabs,
// newlines and backslashes in a path.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
