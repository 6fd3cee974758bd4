package main

import (
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sbx-dev/sbx/internal/guestkernel"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// TestAHostileJob starts testdata/hostile/job, which reads what is somebody's, writes to
// what is everybody's, calls out, takes disk, memory and processes without end, and
// writes to its log without end. It gets nowhere, the host does other work meanwhile, and
// is the same afterwards.
func TestAHostileJob(t *testing.T) {
	testhost.Need(t)
	kernel, modules := guestkernel.Get(t)
	job, err := filepath.Abs("testdata/hostile/job")
	if err != nil {
		t.Fatal(err)
	}
	const folder = "/srv/hostile"
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	up := func(backend, job string) {
		mustSbx(t, "up", "testdata/hostile/hostile.cue", "--tag", "job="+job, "--tag", "folder="+folder+"/data.ext4",
			"--tag", "backend="+backend, "--accel", "tcg", "--kernel", kernel, "--modules", modules)
	}
	// libvirt and sbx keep some chains and folders from the first of its kind on, whatever that does.
	harmless := filepath.Join(folder, "harmless")
	place(t, harmless, "exec sleep infinity\n")
	up("lxc", harmless)
	mustSbx(t, "down", "hostile")
	mustSbx(t, "run", "-b", "lxc", "--", "true")
	for _, backend := range []string{"lxc", "kvm"} {
		t.Run(backend, func(t *testing.T) {
			before := theHost(t)
			for limit := time.Now().Add(time.Minute); ; { // libvirt still takes apart what ended just before
				earlier := before
				if before = theHost(t); theSame(earlier, before) || time.Now().After(limit) {
					break
				}
			}
			up(backend, job)
			t.Cleanup(func() { _ = sbx(t, "down", "hostile").Run() })
			called := listen(t, "10.93.0.1:7002")
			listen(t, "10.93.0.1:7001")
			var said string
			testhost.WaitFor(t, "the job's last attempt", 10*time.Minute, func() bool {
				if said = mustSbx(t, "logs", "hostile"); strings.Contains(mustSbx(t, "ps"), "stopped") {
					t.Fatalf("the job has ended before it has tried all:\n%s", said)
				}
				return strings.Contains(said, "forks from now on")
			})
			attempts := regexp.MustCompile(`(?m)^(.*): (DONE|no)$`).FindAllStringSubmatch(said, -1)
			for _, a := range attempts {
				if got := a[2] == "DONE"; got != (a[1] == "connect to whom it may") {
					t.Error(a[0])
				}
			}
			if len(attempts) != 22 {
				t.Errorf("it made %d attempts\n%s", len(attempts), said)
			}
			if called.Load() {
				t.Error("it has called the host")
			}
			testhost.WaitFor(t, "it to have all its processes", 5*time.Minute, func() bool {
				return sbx(t, "exec", "hostile", "--", "/usr/bin/true").Run() != nil
			})
			if got := outcome(t, sbx(t, "run", "-b", "lxc", "--", "echo", "as ever"), nil); got != (result{0, "as ever\n", ""}) {
				t.Errorf("another sandbox meanwhile: %+v", got)
			}
			most := map[string]int64{folder: 17 << 20, "/var/lib/sbx/hostile/log": 17 << 20} // files of 4 MiB, four of them
			for dir, limit := range most {
				if has := sizeOf(t, dir); has > limit {
					t.Errorf("it has %d bytes in %s", has, dir)
				}
			}
			mustSbx(t, "down", "hostile")
			after := theHost(t)
			for limit := time.Now().Add(time.Minute); !theSame(before, after) && time.Now().Before(limit); {
				after = theHost(t) // of some things libvirt forgets a moment after the end
			}
			for _, what := range slices.Sorted(maps.Keys(before)) {
				if was, is := before[what], after[what]; !slices.Equal(was, is) {
					t.Errorf("the host's %s are others (-before +after):\n%s", what, cmp.Diff(was, is))
				}
			}
		})
	}
}

// listen takes connections at an address of the host's, and tells of them.
func listen(t *testing.T, address string) *atomic.Bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	called := new(atomic.Bool)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			called.Store(true)
			c.Close()
		}
	}()
	return called
}

// sizeOf is how many bytes there are on the disk below a folder.
func sizeOf(t *testing.T, dir string) (size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// counted are what tables count, and when they were printed.
var counted = regexp.MustCompile(`\[\d+:\d+\]|(?m)^#.*\n|counter packets \d+ bytes \d+`)

// theHost is what there is of a host that somebody inside could wish to change, a list for
// each subject.
func theHost(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for what, script := range map[string]string{
		"processes":      "ps -e -o comm= | grep -vxE 'sh|ps|grep|sort' | sort", // without what lists them
		"control groups": "find /sys/fs/cgroup -type d | sort",
		"mounts":         "findmnt -n -o TARGET,SOURCE,OPTIONS | sort",
		"interfaces":     "ip -o address | awk '{print $2, $4}'; ip -o link | awk '{print $2}'; ip route; ip -6 route",
		"rules":          "iptables-save; ip6tables-save; ebtables-save; nft list ruleset; virsh -q nwfilter-list --name; virsh -q net-list --all --name; virsh -q list --all --name",
		"state":          "ls /var/lib/sbx /run/sbx /var/log/sbx 2>&1 | grep -v 'No such'; losetup -n -O BACK-FILE | grep hostile || true",
		"settings":       "sysctl kernel.core_pattern kernel.hostname net.ipv4.ip_forward vm.overcommit_memory",
		// whoever writes to a file changes its third time, which nobody can set (inode(7))
		"files": "find /usr/bin /usr/sbin /usr/local /etc -xdev ! -type d -printf '%p %i %M %U:%G %s %T@ %C@\\n' 2>/dev/null | sort",
	} {
		all[what] = linesOf(t, script)
	}
	return all
}

func theSame(a, b map[string][]string) bool { return maps.EqualFunc(a, b, slices.Equal) }

// linesOf are the lines that a script prints, without what tables count.
func linesOf(t *testing.T, script string) []string {
	t.Helper()
	out, err := exec.Command("sh", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return strings.Split(counted.ReplaceAllString(string(out), ""), "\n")
}
