package structure_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	pictured = regexp.MustCompile("(?s)```mermaid\n(.*?)```")
	arrow    = regexp.MustCompile(`(?m)^ +(\w+)(?:\[([\w/]+)\])? --> (\w+)(?:\[([\w/]+)\])?$`)
)

// picture is the arrows of docs/architecture.md, from folder to folders.
func picture(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	found := pictured.FindSubmatch(page)
	if found == nil {
		t.Fatal("docs/architecture.md has no picture")
	}
	lines := arrow.FindAllStringSubmatch(string(found[1]), -1)
	if n := strings.Count(string(found[1]), "-->"); n == 0 || n != len(lines) {
		t.Fatalf("%d of the picture's %d arrows can be read", len(lines), n)
	}
	folders := map[string]string{}
	for _, l := range lines {
		for _, end := range [][2]string{{l[1], l[2]}, {l[3], l[4]}} {
			if end[1] != "" {
				folders[end[0]] = end[1]
			} else if folders[end[0]] == "" {
				folders[end[0]] = end[0]
			}
		}
	}
	arrows := map[string][]string{}
	for _, l := range lines {
		arrows[folders[l[1]]] = append(arrows[folders[l[1]]], folders[l[3]])
		if _, ok := arrows[folders[l[3]]]; !ok {
			arrows[folders[l[3]]] = nil // it is in the picture, whatever it imports
		}
	}
	return arrows
}

// Each import of the code goes along the picture's arrows, and each arrow is an import.
func TestThePictureIsTheCode(t *testing.T) {
	arrows := picture(t)
	inFolder := func(pkg string) (folder string) {
		for f := range arrows {
			if below(pkg, []string{"./" + f}) && len(f) > len(folder) {
				folder = f
			}
		}
		return folder
	}
	imported := map[[2]string]bool{}
	for _, name := range list(t, "-f", `{{.ImportPath}}{{range .Imports}} {{$.ImportPath}}>{{.}}{{end}}`, "../../...") {
		from, to, isImport := strings.Cut(name, ">")
		to = strings.Replace(to, ours, "./", 1)
		apart := below(from, []string{"./internal", "./profiles", "./packaging", "./docs"})
		if !apart && strings.HasPrefix(from, "./") && inFolder(from) == "" {
			t.Errorf("%s is not in the picture", from)
		}
		if apart || !isImport || inFolder(from) == inFolder(to) || inFolder(to) == "" {
			continue
		}
		imported[[2]string{inFolder(from), inFolder(to)}] = true
		if !reaches(arrows, map[string]bool{}, inFolder(from), inFolder(to)) {
			t.Errorf("%s imports %s, and no arrow of the picture leads there", from, to)
		}
	}
	for from, tos := range arrows {
		for _, to := range tos {
			if !imported[[2]string{from, to}] {
				t.Errorf("the picture has %s import %s, and no package there does", from, to)
			}
		}
	}
}

// reaches says whether arrows lead from one folder to another.
func reaches(arrows map[string][]string, seen map[string]bool, from, to string) bool {
	for _, next := range arrows[from] {
		if next == to {
			return true
		}
		if !seen[next] {
			seen[next] = true
			if reaches(arrows, seen, next, to) {
				return true
			}
		}
	}
	return false
}
