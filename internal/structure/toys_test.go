package structure_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// toy is something that a stranger adds to sbx: files of its own, if any, and changes of
// files that are there.
type toy struct {
	adds  map[string]string // files in testdata/toys, by the folder that they come into
	edits []edit
	files int // that are changed; what docs/architecture.md says
}

// edit replaces a text that one file alone below a folder, or that file, holds, once.
type edit struct{ below, old, new string }

var toys = map[string]toy{
	"a kind of mount": {files: 7, edits: []edit{
		{"schema", `{socket!: _}])`, `{socket!: _}, {empty!: true}])`},
		{"schema", "	image?: #Path\n", "	image?: #Path\n	empty?: true\n"},
		{"schema", "	Image    string  `", "	Empty bool `json:\"empty,omitempty\"`\n	Image    string  `"},
		{"schema", `		m.Image != "",`, `		m.Image != "", m.Empty,`},
		{"initramfs/manifest", `	Export = "export"`, `	Empty = "empty"; Export = "export"`},
		{"initramfs/manifest", `var MountKinds = []string{`, `var MountKinds = []string{Empty, `},
		{"compiler/resolve", `var mountKinds = []mountKind{`, `var mountKinds = []mountKind{
			{kind: manifest.Empty, named: func(m schema.Mount) bool { return m.Empty }, fill: func(*manifest.Mount, schema.Mount) {}, point: manifest.Dir},`},
		{"compiler/libvirt/container", `var mounts = map[string]mount{`, `var mounts = map[string]mount{
			manifest.Empty: {filesystem: func(_ string, m manifest.Mount) libvirtxml.DomainFilesystem { return ramFilesystem(m) }, access: func(manifest.Mount) string { return read }},`},
		{"initramfs/init/machine", `	case manifest.Inline:`, `	case manifest.Empty: return nil
	case manifest.Inline:`},
		{"runtime", `	case manifest.Tmpfs:`, `	case manifest.Empty: return nil
	case manifest.Tmpfs:`},
	}},
	"a libvirt backend": {adds: map[string]string{"compiler/libvirt/toy": "backend/toy.go", "runtime/internal/toy": "kind/toy.go"}, files: 4, edits: []edit{
		{"schema", `backend!: "lxc" | "kvm"`, `backend!: "lxc" | "kvm" | "toy"`},
		{"schema", `var backends = []traits{`, `var backends = []traits{{name: "toy", maps: true, whatItIs: "a toy"},`},
		{"compiler/libvirt/libvirt.go", `import (`, `import ("github.com/sbx-dev/sbx/compiler/libvirt/toy"`},
		{"compiler/libvirt", `	machine.Kind,`, `	machine.Kind, toy.Kind,`},
		{"runtime/internal/known", `import (`, `import ("github.com/sbx-dev/sbx/runtime/internal/toy"`},
		{"runtime/internal/known", `&kvm.Kind}`, `&kvm.Kind, &toy.Kind}`},
	}},
	"a target that is not libvirt": {adds: map[string]string{"compiler/paper": "target/paper.go"}, files: 1, edits: []edit{
		{"compiler/targets.go", `import (`, `import ("github.com/sbx-dev/sbx/compiler/paper"`},
		{"compiler", `{"", libvirt.Lower},`, `{"", libvirt.Lower}, {"paper", paper.Lower},`},
	}},
	"a review dimension": {adds: map[string]string{"compiler/review": "review/emptiness.go"}, files: 2, edits: []edit{
		{"compiler/review", `	Identity     Dimension`, `	Emptiness Dimension = "emptiness"
	Identity     Dimension`},
		{"compiler/review", `var order = []Dimension{`, `var order = []Dimension{Emptiness, `},
		{"compiler/review", `{{Secrets, secrets}, `, `{{Emptiness, emptiness}, {Secrets, secrets}, `},
	}},
	"a verb": {adds: map[string]string{"cmd/sbx/internal/service": "verb/toy.go"}, files: 1, edits: []edit{
		{"cmd/sbx/main.go", `	Up      service.Up `, `	Toy service.Toy ` + "`cmd:\"\" topic:\"Services\"`" + `
	Up      service.Up `},
	}},
}

// What becomes of the profile in testdata/toys/main with all toys.
const played = `lxc true true true
kvm true false true
toy true true true
run /bin/true
show tmpfs at /dev/shm
show inline at /etc/hosts
show empty at /srv
emptiness true nothing at /srv
resources false tmpfs /srv none, was 1MiB
files true /srv is {"empty":true}
files false /srv is a tmpfs (mode 0755)
`

// A kind of mount, a backend, a target that is not libvirt, a review dimension and a verb
// come to be by files of their own and some rows, as it is told in docs/architecture.md:
// here they do, in a tree that the toolchain is shown in place of the real one.
func TestWhatAStrangerTouches(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	tree := overlay{root: root, dir: t.TempDir(), text: map[string]string{}}
	tree.add(t, "internal/structure/toys", "main/main.go")
	for name, toy := range toys {
		touched := map[string]bool{}
		for _, e := range toy.edits {
			touched[tree.edit(t, e)] = true
		}
		if len(touched) != toy.files {
			t.Errorf("%s: %d files are touched in place of %d: %v", name, len(touched), toy.files, touched)
		}
		if row := fmt.Sprintf("(?m)^\\| %s \\| [^|]* \\| %d\\b", name, toy.files); !regexp.MustCompile(row).Match(page) {
			t.Errorf("docs/architecture.md does not say that %s takes %d files", name, toy.files)
		}
		for folder, file := range toy.adds {
			tree.add(t, folder, file)
		}
	}
	shown := tree.write(t)
	tree.run(t, "build", "-overlay", shown, "./initramfs/init/machine")
	if got, want := tree.run(t, "run", "-tags", "libvirt_dlopen", "-overlay", shown, "./cmd/sbx", "toy"), "[lxc kvm toy]\n"; got != want {
		t.Errorf("sbx toy says %q in place of %q", got, want)
	}
	if d := cmp.Diff(played, tree.run(t, "run", "-overlay", shown, "./internal/structure/toys")); d != "" {
		t.Error(d)
	}
}

// overlay is a tree as it would be: what `go help build` says of -overlay.
type overlay struct {
	root, dir string
	text      map[string]string // by path from the root
}

// add puts a file of testdata/toys into a folder.
func (o *overlay) add(t *testing.T, folder, file string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/toys", file))
	if err != nil {
		t.Fatal(err)
	}
	o.text[filepath.Join(folder, filepath.Base(file))] = string(text)
}

// edit changes the one file that holds a text, and gives its path.
func (o *overlay) edit(t *testing.T, e edit) string {
	t.Helper()
	found := ""
	err := filepath.WalkDir(filepath.Join(o.root, e.below), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || filepath.Ext(path) != ".go" && filepath.Ext(path) != ".cue" {
			return err
		}
		rel, err := filepath.Rel(o.root, path)
		if err != nil {
			return err
		}
		text, ok := o.text[rel]
		if !ok {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text = string(data)
		}
		switch n := strings.Count(text, e.old); {
		case n == 0:
			return nil
		case n > 1 || found != "":
			t.Fatalf("%q stands below %s more than once: in %s and %s", e.old, e.below, found, rel)
		}
		found, o.text[rel] = rel, strings.Replace(text, e.old, e.new, 1)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == "" {
		t.Fatalf("%q stands nowhere below %s", e.old, e.below)
	}
	return found
}

// write gives the file that tells the toolchain of the tree.
func (o *overlay) write(t *testing.T) string {
	t.Helper()
	replace := map[string]string{}
	for path, text := range o.text {
		file := filepath.Join(o.dir, strings.ReplaceAll(path, "/", "+"))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(o.root, path)] = file
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(o.dir, "overlay.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (o *overlay) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = o.root
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out, &stderr)
	}
	return string(out)
}
