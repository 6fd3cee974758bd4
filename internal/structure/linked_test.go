package structure_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the lists of what is linked anew")

// linked are the programs that are shipped, with how they are built.
var linked = map[string][]string{
	"cmd/sbx":        {"CGO_ENABLED=1"},
	"initramfs/init": {"CGO_ENABLED=0"},
}

// What others have written and our programs link stands in a list for each of them,
// so that a new dependency is seen by whoever reviews the change that brings it.
func TestWhatIsLinkedStandsInAList(t *testing.T) {
	for program, environment := range linked {
		cmd := exec.Command("go", "list", "-deps", "-tags", "libvirt_dlopen", "-f", `{{with .Module}}{{if not .Main}}{{$.ImportPath}}{{end}}{{end}}`, "./"+program)
		cmd.Dir = "../.."
		cmd.Env = append(append(os.Environ(), environment...), "GOOS=linux", "GOARCH=amd64")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, &stderr)
		}
		packages := strings.Fields(string(out))
		slices.Sort(packages)
		got := strings.Join(packages, "\n") + "\n"
		list := filepath.Join("testdata", "linked", filepath.Base(program)+".txt")
		if *update {
			if err := os.WriteFile(list, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), got); d != "" {
			t.Errorf("%s links something else than testdata/linked says; if it is to, run with -update:\n%s", program, d)
		}
	}
}

// unpacks are functions of decompressors that read what is packed.
var unpacks = regexp.MustCompile(`^(github\.com/(klauspost/compress|ulikunitz/xz|pierrec/lz4)|compress/).*(\.\(\*?\w*(Reader|Decoder|decompressor)\)\.Read|[Uu]ncompress|decodeBlock|DecodeAll)`)

// A guest's first process has no decompressor in it, which would be one more reader of
// hostile bytes. The package of lz4 stands in its list all the same: the DHCP client
// that it uses reads buffers with u-root's uio, which has a reader of lz4, too.
func TestTheFirstProcessUnpacksNothing(t *testing.T) {
	program := filepath.Join(t.TempDir(), "init")
	build := exec.Command("go", "build", "-o", program, "../../initramfs/init")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	symbols, err := exec.Command("go", "tool", "nm", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	functions := 0
	for line := range strings.Lines(string(symbols)) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		functions++
		if name := strings.Join(fields[2:], " "); unpacks.MatchString(name) {
			t.Errorf("sbx-init links %s", name)
		}
	}
	if functions < 1000 {
		t.Errorf("the program has %d symbols", functions)
	}
}

// Whoever imports a package of ours has none of the tools in his graph that check our
// sources and make our packages: they are in modules of their own.
func TestToolsAreNoDependencies(t *testing.T) {
	data, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"\ntool", "staticcheck", "honnef.co/", "nfpm"} {
		if strings.Contains(string(data), tool) {
			t.Errorf("go.mod speaks of %q", strings.TrimSpace(tool))
		}
	}
	for _, file := range []string{"scripts/tools.mod", "packaging/nfpm.mod"} {
		if data, err := os.ReadFile("../../" + file); err != nil || !strings.Contains(string(data), "\ntool") {
			t.Errorf("%s has no tools: %v", file, err)
		}
	}
}
