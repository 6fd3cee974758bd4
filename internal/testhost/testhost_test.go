package testhost_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/testhost"
	"libvirt.org/go/libvirtxml"
)

func TestMain(m *testing.M) { testhost.Main(m) }

// virsh runs a virsh command of the container driver and gives its output.
func virsh(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("virsh", append([]string{"-q", "-c", "lxc:///system"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("virsh %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// sleeper is a container with a user namespace that sees /usr and /etc of the
// host and is attached to the default network behind a filter.
func sleeper(t *testing.T, name, target string) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"usr", "etc", "proc", "sys", "dev", ".oldroot"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"bin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+link, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	const base = 1 << 20
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, base, base)
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(root); dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mount := func(path, target string) libvirtxml.DomainFilesystem {
		return libvirtxml.DomainFilesystem{
			Source:   &libvirtxml.DomainFilesystemSource{Mount: &libvirtxml.DomainFilesystemSourceMount{Dir: path}},
			Target:   &libvirtxml.DomainFilesystemTarget{Dir: target},
			ReadOnly: &libvirtxml.DomainFilesystemReadOnly{},
		}
	}
	ids := []libvirtxml.DomainIDMapRange{{Start: 0, Target: base, Count: 65536}}
	domain := libvirtxml.Domain{
		Type:   "lxc",
		Name:   name,
		Memory: &libvirtxml.DomainMemory{Value: 64, Unit: "MiB"},
		OS:     &libvirtxml.DomainOS{Type: &libvirtxml.DomainOSType{Type: "exe"}, Init: "/bin/sleep", InitArgs: []string{"1000"}},
		IDMap:  &libvirtxml.DomainIDMap{UIDs: ids, GIDs: ids},
		Devices: &libvirtxml.DomainDeviceList{
			Filesystems: []libvirtxml.DomainFilesystem{mount(root, "/"), mount("/usr", "/usr"), mount("/etc", "/etc")},
			Consoles:    []libvirtxml.DomainConsole{{Source: &libvirtxml.DomainChardevSource{Pty: &libvirtxml.DomainChardevSourcePty{}}}},
			Interfaces: []libvirtxml.DomainInterface{{
				Source:    &libvirtxml.DomainInterfaceSource{Network: &libvirtxml.DomainInterfaceSourceNetwork{Network: "default"}},
				Target:    &libvirtxml.DomainInterfaceTarget{Dev: target},
				FilterRef: &libvirtxml.DomainInterfaceFilterRef{Filter: "no-mac-spoofing"},
			}},
		},
	}
	text, err := domain.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "domain.xml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestContainerWithFilter(t *testing.T) {
	testhost.Need(t)
	virsh(t, "create", sleeper(t, "sleeper", "sleeper0"))
	defer virsh(t, "destroy", "sleeper")
	rules, err := exec.Command("ebtables", "-t", "nat", "-L").CombinedOutput()
	if err != nil || !strings.Contains(string(rules), "sleeper0") {
		t.Errorf("the filter left no ebtables rule for sleeper0 (%v):\n%s", err, rules)
	}
	testhost.KillLibvirtd(t)
	if list := virsh(t, "list", "--name"); strings.TrimSpace(list) != "sleeper" {
		t.Errorf("after libvirtd was killed, running containers are %q", list)
	}
}

func TestPeerSpeaksWithHost(t *testing.T) {
	testhost.Need(t)
	peer := testhost.NewPeer(t, "virbr0", "192.168.122.50/24")
	l, err := net.Listen("tcp4", "192.168.122.1:8000")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = peer.Do(func() error {
		c, err := net.DialTimeout("tcp4", "192.168.122.1:8000", time.Minute)
		if err != nil {
			return err
		}
		return c.Close()
	})
	if err != nil {
		t.Error(err)
	}
	if out, err := peer.Output("ip", "-4", "addr", "show", "dev", "eth0"); err != nil || !strings.Contains(string(out), "192.168.122.50/24") {
		t.Errorf("the peer's eth0: %v\n%s", err, out)
	}
}

// TestNothingIsLeft runs a host through the command and looks at the machine
// (here: the host that the test itself runs in) before and after.
func TestNothingIsLeft(t *testing.T) {
	testhost.Need(t)
	command := filepath.Join(t.TempDir(), "run")
	if out, err := exec.Command("go", "build", "-o", command, "./run").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	traces := func() (all []string) {
		for _, argv := range [][]string{
			{"sh", "-c", "ip -brief link | awk '{print $1, $3}'"}, // its state may still change of what was before
			{"find", "/sys/fs/cgroup", "-type", "d"},
			{"find", "/etc/libvirt", "/var/lib/libvirt", "/run/libvirt", "-type", "f"},
			{"findmnt", "-n", "-o", "TARGET"},
		} {
			out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %v\n%s", argv, err, out)
			}
			all = append(all, strings.Split(string(out), "\n")...)
		}
		return all
	}
	before := traces()
	inner := exec.Command(command, "--", "sh", "-c", "virsh -c lxc:///system create \"$1\" && exit 42", "sh", sleeper(t, "inner", "inner0"))
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SBX_TESTHOST") {
			inner.Env = append(inner.Env, v)
		}
	}
	out, _ := inner.CombinedOutput()
	if code := inner.ProcessState.ExitCode(); code != 42 {
		t.Errorf("exit code %d, want the command's 42\n%s", code, out)
	}
	left := slices.DeleteFunc(traces(), func(line string) bool { return slices.Contains(before, line) })
	if len(left) > 0 {
		t.Errorf("a host left traces:\n%s", strings.Join(left, "\n"))
	}
}
