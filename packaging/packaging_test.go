// Package packaging_test holds what the packages are: scripts/package makes them.
package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/arch"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/internal/unitfile"
)

// otherInit is the architecture that machines may have beside this machine's.
var otherInit = map[string]string{"amd64": arch.ARM, "arm64": arch.X86}[runtime.GOARCH]

// output runs a command in the repo's root and gives what it prints.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "PROGRAMS=bin")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, errs.String())
	}
	return string(out)
}

// built makes the deb of this machine's architecture from what make build leaves.
func built(t *testing.T) (deb string) {
	t.Helper()
	output(t, "make", "-s", "build", "build-"+otherInit)
	dir := t.TempDir()
	output(t, "scripts/package", dir, runtime.GOARCH)
	found, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	return found[0]
}

// What the deb holds: each file with its mode, root's, and where Debian has such.
func TestDebHolds(t *testing.T) {
	deb := built(t)
	held := map[string]string{} // path → mode
	for line := range strings.Lines(output(t, "dpkg-deb", "-c", deb)) {
		fields := strings.Fields(line)
		held[strings.TrimPrefix(fields[5], ".")] = fields[0]
		if fields[1] != "root/root" && fields[1] != "0/0" {
			t.Errorf("not root's: %s", line)
		}
		if mode := fields[0]; mode[5] == 'w' || mode[8] == 'w' {
			t.Errorf("others may write: %s", line)
		}
	}
	want := map[string]string{
		"/usr/bin/sbx":                                  "-rwxr-xr-x",
		"/usr/libexec/sbx/sbx-init":                     "-rwxr-xr-x",
		"/usr/libexec/sbx/sbx-init-" + otherInit:        "-rwxr-xr-x",
		"/usr/lib/udev/rules.d/70-sbx-kvm.rules":        "-rw-r--r--",
		"/etc/sbx/profiles/":                            "drwxr-xr-x",
		"/usr/lib/systemd/system/sbx@.service":          "-rw-r--r--",
		"/usr/lib/systemd/system/sbx-job@.service":      "-rw-r--r--",
		"/usr/lib/systemd/system/sbx-guard.service":     "-rw-r--r--",
		"/usr/lib/systemd/system/sbx-apply.service":     "-rw-r--r--",
		"/usr/lib/systemd/system/sbx-apply.timer":       "-rw-r--r--",
		"/usr/share/sbx/selinux/sbx.cil":                "-rw-r--r--",
		"/usr/lib/tmpfiles.d/sbx.conf":                  "-rw-r--r--",
		"/usr/share/bash-completion/completions/sbx":    "-rw-r--r--",
		"/usr/share/zsh/vendor-completions/_sbx":        "-rw-r--r--",
		"/usr/share/fish/vendor_completions.d/sbx.fish": "-rw-r--r--",
		"/usr/share/doc/sbx/README.md":                  "-rw-r--r--",
		"/usr/share/doc/sbx/docs/tutorial.md":           "-rw-r--r--",
		"/usr/share/doc/sbx/examples/apache.cue":        "-rw-r--r--",
		"/usr/share/doc/sbx/copyright":                  "-rw-r--r--",
		"/usr/share/doc/sbx/licences.gz":                "-rw-r--r--",
	}
	for _, verb := range strings.Fields(output(t, "bin/sbx", "__complete", "--", "")) {
		want["/usr/share/man/man1/sbx-"+verb+".1.gz"] = "-rw-r--r--"
	}
	for path, mode := range want {
		if held[path] != mode {
			t.Errorf("%s has the mode %q, not %q", path, held[path], mode)
		}
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		if got, want := output(t, "dpkg-deb", "-I", deb, script), read(t, "scripts/"+script); got != want {
			t.Errorf("%s is not packaging/scripts/%[1]s:\n%s", script, got)
		}
	}
	version := strings.TrimSpace(output(t, "scripts/version"))
	if got := strings.TrimSpace(output(t, "dpkg-deb", "-f", deb, "Version")); got != version+"-1" {
		t.Errorf("the deb is of version %s, and the tree of %s", got, version)
	}
	if got := output(t, "bin/sbx", "version"); got != "sbx "+version+"\n" {
		t.Errorf("sbx says %q", got)
	}
}

// The state folder that systemd-tmpfiles makes is the one that sbx makes.
func TestTmpfilesAgreeWithTheState(t *testing.T) {
	folder, _ := state.Find("")
	lines := strings.Split(strings.TrimSpace(read(t, "../systemd/tmpfiles.conf")), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "#") })
	fields := strings.Fields(strings.Join(lines, " "))
	want := []string{"d", state.Default, "0711", "root", "root", "-"}
	if !slices.Equal(fields, want) || folder.Mode.Perm() != 0o711 {
		t.Errorf("%q, not %q; the state's own mode is %v", fields, want, folder.Mode)
	}
}

// A unit comes after whichever daemons run the sandboxes here, so that at the host's end
// sbx is done with them first. It wants none: libvirtd and the daemons of its drivers
// end each other, and which of them a host has is not a unit's to choose. The guard of
// inner walls comes before them, because it has these stand before a sandbox starts.
func TestUnitsTakeTheLibvirtThatThereIs(t *testing.T) {
	daemons := []string{"libvirtd.service", "virtlxcd.service", "virtqemud.service", "virtnetworkd.service", "virtnwfilterd.service"}
	files, err := filepath.Glob("../systemd/*.service")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		u, err := unitfile.ReadFile(os.DirFS("../systemd"), filepath.Base(file))
		if err != nil {
			t.Fatal(err)
		}
		named := func(setting string) (all []string) {
			for _, s := range u.All("Unit", setting) {
				all = append(all, strings.Fields(s.Value)...)
			}
			return all
		}
		order := "After"
		if u.Name == "sbx-guard.service" {
			order = "Before"
		}
		pulled := slices.Concat(named("Wants"), named("Requires"), named("BindsTo"), named("Upholds"))
		for _, daemon := range daemons {
			if !slices.Contains(named(order), daemon) {
				t.Errorf("%s does not come %s %s", u.Name, strings.ToLower(order), daemon)
			}
			if slices.Contains(pulled, daemon) {
				t.Errorf("%s starts %s", u.Name, daemon)
			}
		}
	}
}

// What sbx starts beside a sandbox lives as long as that one: a unit that ends before does
// not end it.
func TestUnitsLeaveWhatKeepsALog(t *testing.T) {
	for _, name := range []string{"sbx@.service", "sbx-apply.service"} {
		u, err := unitfile.ReadFile(os.DirFS("../systemd"), name)
		if err != nil {
			t.Fatal(err)
		}
		stays, _ := u.Last("Service", "RemainAfterExit")
		kills, _ := u.Last("Service", "KillMode")
		if stays.Value != "yes" && kills.Value != "process" {
			t.Errorf("%s ends what its command has started", name)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
