package compiler_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/selinux"
	"github.com/sbx-dev/sbx/internal/shelf"
	"github.com/sbx-dev/sbx/schema"
)

// SELinux's compiler takes the policies of all shipped profiles, as containers and as
// machines, with sbx's module and a host's policy, and finds no wall open, also between
// them. Debian 12's policy lacks a type that Debian 13's has, and sbx's module brings.
func TestSELinuxsCompilerTakesEveryPolicy(t *testing.T) {
	names, err := shelf.Names()
	if err != nil || len(names) == 0 {
		t.Fatal("no shipped profiles", err)
	}
	for _, backend := range schema.Backends() {
		var all [][]byte
		for _, name := range names {
			p, err := shelf.Load(name, backend)
			if err != nil {
				t.Fatal(err)
			}
			if p != nil {
				all = append(all, boundPolicy(t, p))
			}
		}
		for host, more := range map[string]string{
			"Debian 12": "",
			"Debian 13": "(type container_file_t)\n(roletype object_r container_file_t)\n(typeattributeset file_type container_file_t)\n",
		} {
			if said, err := compilePolicy(t, bytes.Join(all, nil), "", more); err != nil {
				t.Errorf("%s, %s: %v\n%s", backend, host, err, said)
			}
		}
	}
}

// seenTypes are those of a host whose exposed paths hold what no sandbox may see, too.
var seenTypes = []string{"usr_t", "bin_t", "etc_t", "httpd_config_t", "shadow_t", "user_home_t"}

// boundPolicy is a profile's policy, completed for such a host.
func boundPolicy(t *testing.T, p *schema.Profile) []byte {
	t.Helper()
	return selinux.Bind(compile(t, p).File(compiler.SELinuxFile), p.Name, seenTypes, nil)
}

// compilePolicy has secilc compile a policy, with more beside it, into the file out
// unless that is empty.
func compilePolicy(t *testing.T, policy []byte, out string, more ...string) (said string, err error) {
	t.Helper()
	secilc, err := exec.LookPath("secilc")
	if err != nil {
		t.Skip("needs secilc, of the package of that name")
	}
	dir := t.TempDir()
	if out == "" {
		out = filepath.Join(dir, "out")
	}
	run := exec.Command(secilc, "-m", "-M", "true", "-c", "33", "-o", out, "-f", filepath.Join(dir, "contexts"), "testdata/host.cil", "../packaging/selinux/sbx.cil")
	for i, text := range append([]string{categories(), string(policy)}, more...) {
		file := filepath.Join(dir, fmt.Sprint(i)+".cil")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		run.Args = append(run.Args, file)
	}
	all, err := run.CombinedOutput()
	return string(all), err
}

// categories are those of Debian's and Fedora's policies.
func categories() string {
	var each, order strings.Builder
	for i := range 1024 {
		fmt.Fprintf(&each, "(category c%d)\n", i)
		fmt.Fprintf(&order, " c%d", i)
	}
	return "(sensitivity s0)\n(sensitivityorder (s0))\n" + each.String() + "(categoryorder (" + order.String() + "))\n(sensitivitycategory s0 (range c0 c1023))\n"
}

// openings open one wall each, of a container and of a machine.
var openings = map[string]string{
	"write what is exposed":             "(allow P etc_t (file (write)))",
	"make a file beside it":             "(allow P etc_t (dir (add_name)))",
	"replace a link":                    "(allow P etc_t (lnk_file (unlink)))",
	"write another's content":           "(type x)(typeattributeset sbx_content x)(typeattributeset file_type x)(allow P x (file (append)))",
	"read another's content":            "(type x)(typeattributeset sbx_content x)(typeattributeset file_type x)(allow P x (file (read)))",
	"read passwords":                    "(allow P shadow_t (file (read)))",
	"read homes":                        "(allow P user_home_t (file (open)))",
	"read what the profile has not":     "(allow P var_log_t (file (read)))",
	"run what the profile has not":      "(allow P var_lib_t (file (execute)))",
	"relabel":                           "(allow P process_x (file (relabelto)))(typealias process_x)(typealiasactual process_x etc_t)",
	"trace another":                     "(allow P init_t (process (ptrace)))",
	"signal another":                    "(allow P sshd_t (process (sigkill)))",
	"become another":                    "(allow P unconfined_t (process (transition)))",
	"become another without a program":  "(allow P P (process (setcurrent)))",
	"look into another":                 "(allow P init_t (file (read)))",
	"speak with a service":              "(allow P init_t (unix_stream_socket (connectto)))",
	"change the kernel's settings":      "(allow P sysctl_kernel_t (file (write)))",
	"open a disk":                       "(allow P fixed_disk_device_t (blk_file (read)))",
	"open the memory":                   "(allow P memory_device_t (chr_file (read)))",
	"load a module":                     "(allow P kernel_t (system (module_load)))",
	"load a policy":                     "(allow P security_t (security (load_policy)))",
	"mount a disk":                      "(allow P fs_t (filesystem (mount)))",
	"load a program into the kernel":    "(allow P P (bpf (prog_load)))",
	"a capability":                      "(allow P P (cap_userns (sys_module)))",
	"a capability of the host's":        "(allow P P (capability (dac_override)))",
	"a newer capability":                "(allow P P (cap2_userns (mac_admin)))",
	"a kind of sockets":                 "(allow P P (vsock_socket (create)))",
	"raw packets":                       "(allow P P (packet_socket (create)))",
	"by an attribute of all processes":  "(allow domain etc_t (file (write)))",
	"by an attribute of all containers": "(allow sbx_container auditd_log_t (file (read)))(allow sbx_machine auditd_log_t (file (read)))",
}

// Whoever opens a wall, in the policy or beside it, is refused by SELinux's compiler.
func TestNoPolicyOpensAWall(t *testing.T) {
	for _, backend := range schema.Backends() {
		p, err := shelf.Load("apache", backend)
		if err != nil {
			t.Fatal(err)
		}
		policy := boundPolicy(t, p)
		for what, opening := range openings {
			t.Run(string(backend)+"/"+what, func(t *testing.T) {
				opening := strings.ReplaceAll(opening, "P ", selinux.Type(p.Name, selinux.Process)+" ")
				said, err := compilePolicy(t, policy, "", opening)
				if err == nil || !strings.Contains(said, "neverallow check failed") {
					t.Errorf("%s: %v\n%s", opening, err, said)
				}
			})
		}
	}
}

// A container makes network interfaces where its profile has the device for it, and
// nowhere else.
func TestInterfacesAreOfADevice(t *testing.T) {
	p, err := shelf.Load("apache", schema.LXC)
	if err != nil {
		t.Fatal(err)
	}
	opening := "(allow " + selinux.Type(p.Name, selinux.Process) + " self (tun_socket (create)))"
	if said, err := compilePolicy(t, boundPolicy(t, p), "", opening); err == nil || !strings.Contains(said, "neverallow check failed") {
		t.Errorf("without the device: %v\n%s", err, said)
	}
	p.Devices = []string{"/dev/net/tun"}
	policy := boundPolicy(t, p)
	if said, err := compilePolicy(t, policy, ""); err != nil || !selinux.Permits(policy, "self", "tun_socket", "create") {
		t.Errorf("with the device: %v\n%s", err, said)
	}
}

// What the compiled policy lets the sandbox write and read is what its profile names and
// what all of its kind have: not a type more.
func TestAPolicyAllowsWhatTheProfileNames(t *testing.T) {
	sesearch, err := exec.LookPath("sesearch")
	if err != nil {
		t.Skip("needs sesearch, of the package setools")
	}
	exposed := []string{"bin_t", "etc_t", "httpd_config_t", "usr_t"} // no shadow_t, no user_home_t
	own := []string{"sbx_apache.content", "sbx_apache.process"}
	for backend, want := range map[schema.Backend]map[string][]string{
		schema.LXC: {
			"write": append(own, "anon_inodefs_t", "container_file_t", "sysctl_net_t", "tmpfs_t"),
			"read":  append(slices.Concat(own, exposed), "anon_inodefs_t", "cgroup_t", "container_file_t", "cpu_online_t", "fusefs_t", "ld_so_cache_t", "ld_so_t", "lib_t", "nsfs_t", "proc_net_t", "proc_t", "sysctl_kernel_t", "sysctl_net_t", "sysctl_vm_overcommit_t", "sysctl_vm_t", "sysfs_t", "textrel_shlib_t", "tmpfs_t", "virt_content_t", "virt_var_lib_t"),
		},
		schema.KVM: {
			"write": append(own, "svirt_image_t", "svirt_runtime_t", "svirt_tmp_t", "tmpfs_t"),
			"read":  append(slices.Concat(own, exposed), "cpu_online_t", "ld_so_cache_t", "ld_so_t", "lib_t", "locale_t", "proc_t", "qemu_exec_t", "svirt_image_t", "svirt_runtime_t", "svirt_tmp_t", "sysctl_vm_overcommit_t", "sysctl_vm_t", "sysfs_t", "textrel_shlib_t", "tmpfs_t", "virt_content_t", "virt_var_lib_t"),
		},
	} {
		p, err := shelf.Load("apache", backend)
		if err != nil {
			t.Fatal(err)
		}
		binary := filepath.Join(t.TempDir(), "policy")
		if said, err := compilePolicy(t, boundPolicy(t, p), binary); err != nil {
			t.Fatal(err, said)
		}
		for permission, types := range want {
			slices.Sort(types)
			run := exec.Command(sesearch, "--allow", "-s", selinux.Type(p.Name, selinux.Process), "-c", "file", "-p", permission, binary)
			out, err := run.Output()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(types, targets(t, binary, out)); diff != "" {
				t.Errorf("%s, %s:\n%s\n%s", backend, permission, diff, out)
			}
		}
	}
}

// libvirtd may look at what has the types of the images that a machine reads, less what
// no sandbox may see: at nothing of machines without, nor of containers.
func TestLibvirtdLooksAtImagesAlone(t *testing.T) {
	sesearch, err := exec.LookPath("sesearch")
	if err != nil {
		t.Skip("needs sesearch, of the package setools")
	}
	image := schema.Mount{Image: "/srv/data.img", Format: "raw"}
	written := image
	written.Writable = true
	for what, c := range map[string]struct {
		backend schema.Backend
		mount   *schema.Mount
		looks   bool
	}{
		"a container":                  {schema.LXC, nil, false},
		"a machine without images":     {schema.KVM, nil, false},
		"a machine that writes one":    {schema.KVM, &written, false},
		"a machine that reads another": {schema.KVM, &image, true},
	} {
		t.Run(what, func(t *testing.T) {
			p, err := shelf.Load("apache", c.backend)
			if err != nil {
				t.Fatal(err)
			}
			var ofImages []string
			if c.mount != nil {
				p.Mounts["/data"] = *c.mount
			}
			if c.looks {
				ofImages = []string{"var_log_t", "shadow_t"}
			}
			policy := selinux.Bind(compile(t, p).File(compiler.SELinuxFile), p.Name, seenTypes, ofImages)
			binary := filepath.Join(t.TempDir(), "policy")
			if said, err := compilePolicy(t, policy, binary); err != nil {
				t.Fatal(err, said)
			}
			out, err := exec.Command(sesearch, "--allow", "-s", "virtd_t", "-c", "file", "-p", "read", binary).Output()
			if err != nil {
				t.Fatal(err)
			}
			found := targets(t, binary, out)
			if slices.Contains(found, "var_log_t") != c.looks {
				t.Errorf("libvirtd reads %v", found)
			}
			for _, other := range seenTypes {
				if slices.Contains(found, other) {
					t.Errorf("libvirtd reads %s, of no image", other)
				}
			}
		})
	}
}

// targets are the types of what rules allow something to, those of attributes among
// them.
func targets(t *testing.T, binary string, rules []byte) []string {
	t.Helper()
	out, err := exec.Command("seinfo", "--flat", "-x", binary, "-a").Output()
	if err != nil {
		t.Fatal(err)
	}
	attributes, last := map[string][]string{}, ""
	for line := range strings.Lines(string(out)) {
		name, isAttribute := strings.CutPrefix(strings.TrimRight(line, ";\n"), "attribute ")
		switch {
		case isAttribute:
			last = name
		case strings.TrimSpace(line) != "":
			attributes[last] = append(attributes[last], strings.TrimSpace(line))
		}
	}
	found := map[string]bool{}
	for line := range bytes.Lines(rules) {
		words := strings.Fields(string(line))
		if len(words) < 3 {
			continue
		}
		target, _, _ := strings.Cut(words[2], ":")
		if members, is := attributes[target]; is {
			for _, m := range members {
				found[m] = true
			}
			continue
		}
		found[target] = true
	}
	return slices.Sorted(maps.Keys(found))
}
