package runtime_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load"
)

// refused are profiles that the host cannot run as they say. Each is the body of
// a profile, after what it needs of the host is there.
var refused = []struct{ what, profile, want string }{
	{"a network that is not there", `network: attach: "nowhere"`, "no network nowhere"},
	{"a network that does not run", `network: attach: "resting"`, "net-start resting"},
	{"a network without a bridge", `network: attach: "direct"`, "without its firewall"},
	{"a bridge that is not there", `network: bridge: "nowhere0"`, "no bridge nowhere0"},
	{"a network of another maker", `network: {attach: "resting", create: {mode: "isolated", address: ["10.87.0.1/24"]}, address: "10.87.0.2/24"}`, "sbx did not make"},
	{"an exposed path that is not there", `mounts: "/x": host: "/no/such/path"`, "/no/such/path"},
	{"the kernel's own files at another place", `mounts: "/x": host: "/srv/inner/sys"`, "the kernel's own file system proc"},
	{"a writable folder of somebody else", `mounts: "/x": {host: "/usr/share", writable: true}`, "chown"},
	{"a file where the host has a folder", `mounts: "/usr/share": file: ""`, "one of the two is a folder"},
	{"ids of an account", `users: base: 65536*3`, "somebody in /etc/passwd"},
	{"ids of another container", `users: base: 65536*5`, "the domain foreign"},
	{"subordinate ids", `users: base: 65536*7`, "somebody in /etc/subuid"},
	{"a name of another maker", `name: "foreign"`, "sbx did not make"},
}

const refusedHead = `package refused

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "1000"]
	expose: ["/usr"]
	name: "foreign" | *"refused"
`

func TestUpRefuses(t *testing.T) {
	testhost.Need(t)
	foreign(t)
	r := newRuntime(t)
	for _, c := range refused {
		t.Run(c.what, func(t *testing.T) {
			b := compileText(t, refusedHead+c.profile+"\n}\n")
			before := defined(t)
			_, err := r.Up(t.Context(), b)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want something with %q", err, c.want)
			}
			if after := defined(t); after != before {
				t.Errorf("something is left:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// foreign gives the host networks, a container and ids that are not sbx's.
func foreign(t *testing.T) {
	t.Helper()
	appendTo(t, "/etc/passwd", "somebody:x:200000:200000::/:/bin/false\n")
	appendTo(t, "/etc/subuid", "somebody:460000:10\n")
	if err := os.Mkdir("/srv/inner", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", "/srv/inner", "proc", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount("/srv/inner", 0); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	for _, d := range []struct{ command, text string }{
		{"net-define", `<network><name>resting</name><ip address="10.87.0.1" netmask="255.255.255.0"/></network>`},
		{"net-define", `<network><name>direct</name><forward mode="bridge"><interface dev="lo"/></forward></network>`},
		{"define", `<domain type="lxc"><name>foreign</name><memory>65536</memory><os><type>exe</type><init>/bin/sh</init></os>
			<idmap><uid start="0" target="330000" count="10"/><gid start="0" target="330000" count="10"/></idmap></domain>`},
	} {
		file := filepath.Join(dir, "x.xml")
		if err := os.WriteFile(file, []byte(d.text), 0o644); err != nil {
			t.Fatal(err)
		}
		virsh(t, d.command, file)
	}
	virsh(t, "net-start", "direct")
	t.Cleanup(func() {
		virsh(t, "net-destroy", "direct")
		virsh(t, "net-undefine", "direct")
		virsh(t, "net-undefine", "resting")
		virsh(t, "undefine", "foreign")
	})
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// defined lists what libvirt and the state folder hold.
func defined(t *testing.T) string {
	t.Helper()
	folder, err := exec.Command("find", "/var/lib", "-path", "/var/lib/sbx/*", "-not", "-path", "*/.lock*").Output()
	if err != nil {
		t.Fatal(err)
	}
	var filters strings.Builder
	for line := range strings.Lines(virsh(t, "nwfilter-list")) {
		if strings.Contains(line, " sbx-") {
			filters.WriteString(line)
		}
	}
	return virsh(t, "list", "--all", "--name") + virsh(t, "net-list", "--all", "--name") + filters.String() + string(folder)
}

func virsh(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("virsh", append([]string{"-q", "-c", "lxc:///system"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("virsh %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// loadText reads the text of a profile.
func loadText(t testing.TB, text string) *schema.Profile {
	t.Helper()
	file := filepath.Join(t.TempDir(), "profile.cue")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	profiles, err := new(load.Config).Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return profiles[0]
}

// compileText compiles the text of a profile.
func compileText(t *testing.T, text string) *compiler.Bundle {
	t.Helper()
	b, err := compiler.Compile(loadText(t, text), compiler.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// idleProfile is a container's that does nothing.
func idleProfile(name string) string {
	return strings.ReplaceAll(`package NAME

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "NAME"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "infinity"]
	expose: ["/usr"]
}
`, "NAME", name)
}

func TestBundleOfAnotherVersion(t *testing.T) {
	testhost.Need(t)
	b := compileText(t, refusedHead+"}\n")
	b.Index.Version++
	if _, err := newRuntime(t).Up(t.Context(), b); fault.Code(err) != diag.OtherVersion {
		t.Errorf("got %v", err)
	}
}
