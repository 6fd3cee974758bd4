package structure_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// hostile are the readers of bytes that others write, and the fuzz target of each.
var hostile = []struct{ bytes, target string }{
	{"a profile", "compiler FuzzCompile"},
	{"a rule on the command line", "cmd/sbx/internal/command FuzzRule"},
	{"a packet to explain", "compiler/firewall FuzzParsePacket"},
	{"an attempt at a path, to explain", "compiler/access FuzzExplain"},
	{"a filter of libvirt's", "compiler/firewall/nwfilter FuzzRead"},
	{"a bundle's table of nftables", "compiler/firewall/nftables FuzzDecode"},
	{"a kernel image for x86-64", "initramfs/boot/kernel FuzzVmlinux"},
	{"a kernel image for aarch64", "initramfs/boot/kernel FuzzBootable"},
	{"a kernel's list of modules", "initramfs/boot/modules FuzzParseDeps"},
	{"a kernel's other lists of modules", "initramfs/boot/modules FuzzOpen"},
	{"a packed module", "initramfs/boot/modules FuzzRead"},
	{"a sandbox's frames, to the host", "initramfs/channel FuzzHost"},
	{"a sandbox's frames, passed on", "initramfs/channel FuzzGuard"},
	{"a sandbox's greeting", "initramfs/channel FuzzGreeting"},
	{"a DHCP server's answer, to sbx-init", "initramfs/init/network/dhcp FuzzLease"},
	{"a sandbox's users and groups, to sbx-init", "internal/accounts FuzzLookup"},
	{"what a sandbox's screen sends, to be a picture", "internal/rfb FuzzScreenshot"},
	{"a compose file, to be a profile", "internal/draft FuzzCompose"},
	{"what programs write by syslog", "initramfs/init/syslog FuzzLine"},
	{"what a service says by sd_notify", "initramfs/init/notify FuzzRead"},
	{"packets to a sandbox", "internal/arrivals FuzzParse"},
	{"packets that a wall has dropped", "internal/denied FuzzRead"},
	{"a keeper's log of them", "internal/denied FuzzDecode"},
	{"what the kernel tells of them", "runtime/internal/droplog FuzzRead"},
	{"what the kernel tells of changes of its tables", "runtime/internal/guard FuzzNamed"},
	{"dpkg's database", "internal/dpkg FuzzDatabase"},
	{"a program, to draft a profile of", "internal/draft/needs FuzzLibraries"},
	{"a unit, to draft a profile of", "internal/draft FuzzUnit"},
	{"a unit's lines", "internal/unitfile FuzzUnit"},
	{"a sandbox's tar stream", "internal/copytree FuzzUnpack"},
	{"a revision's list of files", "internal/gittree FuzzTree"},
	{"a sandbox's log", "internal/logfile FuzzParse"},
	{"text on its way to a terminal", "internal/plain FuzzWriter"},
	{"the beginning of a program", "runtime/internal/kvm FuzzProgram"},
}

// Every reader of hostile bytes has its target, and every target is of such a reader:
// scripts/fuzz runs them all.
func TestEveryHostileReaderIsFuzzed(t *testing.T) {
	declared := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	found := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			found[strings.TrimPrefix(filepath.Dir(path), "../../")+" "+m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hostile {
		if !found[h.target] {
			t.Errorf("%s has no fuzz target: there is no %s", h.bytes, h.target)
		}
		delete(found, h.target)
	}
	for _, target := range slices.Sorted(maps.Keys(found)) {
		t.Errorf("%s stands in no row here: say whose bytes it reads", target)
	}
}
