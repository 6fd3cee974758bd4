package runtime

import (
	"bytes"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/shelf"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/schema"
)

// aaHelper makes the AppArmor profiles of libvirt's domains.
const aaHelper = "/usr/lib/libvirt/virt-aa-helper"

// libvirt's own helper takes the machine of every shipped profile, but for QEMU's
// firmware; and of the sandbox's files, sbx's profile allows no more than its would.
func TestVirtAAHelperWouldAllowNoLess(t *testing.T) {
	testhost.Need(t)
	if _, err := exec.LookPath(aaHelper); err != nil {
		t.Skip("needs virt-aa-helper, of the package libvirt-daemon-system")
	}
	shipped, err := shelf.Names()
	if err != nil || len(shipped) == 0 {
		t.Fatal("no shipped profiles", err)
	}
	for _, name := range shipped {
		p, err := shelf.Load(name, schema.KVM)
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			s := boundMachine(t, p)
			s.Domain.OS.Loader = nil
			text, err := s.Domain.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			theirs := fileRules(helperProfile(t, s.Name, text))
			variable := string(compiler.SandboxVariable.Pattern())
			seen := 0
			for path, access := range fileRules(string(s.Profile)) {
				below, own := strings.CutPrefix(path, variable)
				if !own {
					continue
				}
				seen++
				path = s.Dir + strings.Replace(below, "/{,**}", "/**", 1)
				for _, letter := range access {
					if !strings.ContainsRune(theirs[path], letter) {
						t.Errorf("%s: %q, and libvirt's would have %q", path, access, theirs[path])
					}
				}
			}
			if seen < len(s.Domain.Devices.Filesystems) {
				t.Errorf("%d rules for %d exports", seen, len(s.Domain.Devices.Filesystems))
			}
		})
	}
}

// boundMachine is a profile as a machine of this host.
func boundMachine(t *testing.T, p *schema.Profile) *bound.Sandbox {
	t.Helper()
	b, err := compiler.Compile(p, compiler.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := New(Options{Accel: AccelTCG})
	t.Cleanup(r.Close)
	s, err := r.bind(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// helperProfile has virt-aa-helper say what it would allow.
func helperProfile(t *testing.T, name, domain string) string {
	t.Helper()
	run := exec.Command(aaHelper, "--create", "--dryrun", "--uuid", compiler.AppArmorName(name))
	run.Stdin = strings.NewReader(domain)
	var said bytes.Buffer
	run.Stdout, run.Stderr = &said, &said
	if err := run.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, &said, domain)
	}
	return said.String()
}

var fileRule = regexp.MustCompile(`(?m)^  "([^"]*)" ([a-z]+),$`)

// fileRules are what a profile's rules allow to do with files.
func fileRules(profile string) map[string]string {
	all := map[string]string{}
	for _, m := range fileRule.FindAllStringSubmatch(profile, -1) {
		all[m[1]] += m[2]
	}
	return all
}
