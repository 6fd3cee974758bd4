// Package structure_test holds the structure that CONTRIBUTING.md describes: which
// package may import which, and what each binary links.
package structure_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const ours = "github.com/sbx-dev/sbx/"

// deps is all that a package draws in, itself included; ours as ./PACKAGE.
func deps(t *testing.T, pkg string) []string {
	t.Helper()
	return list(t, "-deps", "../../"+pkg)
}

func list(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-tags", "libvirt_dlopen"}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, &stderr)
	}
	names := strings.Fields(string(out))
	for i, name := range names {
		names[i] = strings.Replace(name, ours, "./", 1)
	}
	return names
}

// below says whether a package is one of the trees or lies in one.
func below(pkg string, trees []string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool {
		return pkg == tree || strings.HasPrefix(pkg, tree+"/")
	})
}

var (
	cue           = []string{"cuelang.org/go"}
	libvirt       = []string{"libvirt.org/go/libvirt"}
	lowers        = []string{"libvirt.org/go/libvirtxml", "./compiler/libvirt", "./compiler/firewall/nwfilter", "./compiler/firewall/nftables"}
	kinds         = []string{"./runtime/internal/kinds", "./runtime/internal/lxc", "./runtime/internal/kvm", "./runtime/internal/known", "./runtime/internal/drivers"}
	decompressors = []string{"github.com/klauspost/compress", "github.com/ulikunitz/xz", "github.com/pierrec/lz4", "compress"}
)

// What a package must not draw in, by whatever way.
func TestNothingIsDrawnInThatASubjectDoesNotNeed(t *testing.T) {
	for pkg, rule := range map[string]struct{ none, except []string }{
		// A decompressor would be one more reader of hostile bytes in a guest's first process.
		"initramfs/init":             {none: slices.Concat(cue, libvirt, decompressors, []string{"./schema", "./compiler", "./runtime", "./initramfs/boot"})},
		"initramfs/channel":          {none: slices.Concat(cue, libvirt, decompressors, []string{"./schema", "./compiler", "./runtime", "./initramfs/boot", "./initramfs/init"})},
		"initramfs/boot":             {none: slices.Concat(cue, libvirt, []string{"./schema", "./compiler", "./runtime", "./initramfs/init", "./initramfs/channel"})},
		"compiler":                   {none: slices.Concat(cue, libvirt, decompressors[:3], []string{"./runtime", "./cmd", "./initramfs/boot", "./initramfs/init", "./initramfs/channel"})},
		"compiler/resolve":           {none: slices.Concat(cue, libvirt, lowers, decompressors[:3], []string{"./runtime", "./cmd", "./initramfs/boot"})},
		"compiler/firewall":          {none: slices.Concat(cue, libvirt, lowers, []string{"./runtime", "./cmd", "./initramfs"})},
		"schema":                     {none: slices.Concat(cue, libvirt, decompressors[:3], []string{"./compiler", "./runtime", "./cmd", "./initramfs"})},
		"schema/load":                {none: slices.Concat(libvirt, decompressors[:3], []string{"./compiler", "./runtime", "./cmd", "./initramfs"})},
		"runtime":                    {none: slices.Concat(cue, []string{"./cmd", "./initramfs/init"})},
		"runtime/internal/virt":      {none: slices.Concat(cue, []string{"./runtime", "./cmd", "./initramfs/boot", "./initramfs/channel"}), except: []string{"./runtime/internal", "./runtime/fault", "./runtime/plan"}},
		"runtime/internal/cgroup":    {none: slices.Concat(cue, []string{"./runtime", "./cmd", "./initramfs/boot", "./initramfs/channel"}), except: []string{"./runtime/internal", "./runtime/fault", "./runtime/plan"}},
		"runtime/internal/hostfile":  {none: slices.Concat(cue, libvirt, []string{"./compiler", "./runtime", "./cmd", "./initramfs"}), except: []string{"./runtime/internal/hostfile", "./runtime/fault"}},
		"runtime/internal/rootfs":    {none: slices.Concat(cue, libvirt, []string{"./compiler", "./runtime", "./cmd"}), except: []string{"./runtime/internal", "./runtime/fault"}},
		"runtime/internal/startfail": {none: slices.Concat(cue, libvirt, []string{"./compiler", "./runtime", "./cmd"}), except: []string{"./runtime/internal/startfail"}},
		"runtime/internal/bound":     {none: slices.Concat(cue, kinds, []string{"./cmd", "./initramfs/boot"})},
		"runtime/internal/lxc":       {none: slices.Concat(cue, []string{"./runtime/internal/kvm", "./runtime/internal/known", "./runtime/internal/drivers", "./cmd", "./initramfs/boot"})},
		"runtime/internal/kvm":       {none: slices.Concat(cue, []string{"./runtime/internal/lxc", "./runtime/internal/known", "./runtime/internal/drivers", "./cmd"})},
		"initramfs/manifest":         {none: slices.Concat(cue, libvirt, decompressors)},
	} {
		for _, dep := range deps(t, pkg) {
			if below(dep, rule.none) && !below(dep, rule.except) {
				t.Errorf("%s draws in %s", pkg, dep)
			}
		}
	}
}

// The contract with the guest can be read without knowing anything else of ours.
func TestTheManifestImportsNothingOfOurs(t *testing.T) {
	for _, name := range list(t, "-f", `{{join .Imports "\n"}}`, "../../initramfs/manifest") {
		if strings.Contains(name, ".") {
			t.Errorf("initramfs/manifest imports %s", name)
		}
	}
}
