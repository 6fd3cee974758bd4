package structure_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
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
