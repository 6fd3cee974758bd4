package runtime_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the handbook's table of file operations")

// fileTable is where the handbook says what a writable folder of the host can do
// in each backend; its columns are those of sandboxes.
const (
	fileTablePage = "../docs/machine.md"
	fileTableHead = "| in a writable folder of the host | container | machine |\n|---|---|---|\n"
)

// testFileOperations holds the handbook's table against what the sandbox can do.
func (p *prober) testFileOperations(t *testing.T) {
	names, ok := p.try(t, "/fileops")
	if !ok {
		t.Fatal(names)
	}
	page, err := os.ReadFile(fileTablePage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), fileTableHead)
	if !found {
		t.Fatalf("%s has no table that begins with\n%s", fileTablePage, fileTableHead)
	}
	rows, after, _ := strings.Cut(rest, "\n\n")
	said := fileTable(rows)
	var table strings.Builder
	for name := range strings.SplitSeq(names, "\n") {
		row, known := said[name]
		if !known {
			row = [2]string{"?", "?"} // until the other backend has been asked
		}
		row[p.column()] = "yes"
		if failure, ok := p.try(t, query("/fileop", "dir", "/data", "name", name)); !ok {
			row[p.column()] = failure
		}
		fmt.Fprintf(&table, "| %s | %s | %s |\n", name, row[0], row[1])
	}
	now := strings.TrimSuffix(table.String(), "\n")
	if *update {
		text := before + fileTableHead + now + "\n\n" + after
		if err := os.WriteFile(fileTablePage, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if d := cmp.Diff(rows, now); d != "" {
		t.Errorf("the table of %s is not true any more (-said +found), rewrite it with -update:\n%s", fileTablePage, d)
	}
}

// column is the backend's in the table.
func (p *prober) column() int {
	if p.backend == sandboxes[0] {
		return 0
	}
	return 1
}

// fileTable reads a table's rows by their first column.
func fileTable(rows string) map[string][2]string {
	said := map[string][2]string{}
	for row := range strings.SplitSeq(rows, "\n") {
		if parts := strings.Split(strings.Trim(row, "| "), " | "); len(parts) == 3 {
			said[parts[0]] = [2]string{parts[1], parts[2]}
		}
	}
	return said
}
