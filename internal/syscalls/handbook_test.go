package syscalls

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/syscalls.md anew")

// TestHandbook holds docs/syscalls.md to the groups.
func TestHandbook(t *testing.T) {
	const page, begin, end = "../../docs/syscalls.md", "<!-- the table of internal/syscalls -->\n", "<!-- its end -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, also := strings.Cut(rest, end)
	if !ok || !also {
		t.Fatal("the page has no place for the table")
	}
	var table strings.Builder
	table.WriteString("| word | opens | calls |\n|---|---|---|\n")
	for _, g := range groups {
		calls := "`socket`"
		if len(g.calls) > 0 {
			calls = "`" + strings.Join(g.calls, "`, `") + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", g.Name, g.What, calls)
	}
	want := before + begin + table.String() + end + after
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Errorf("%s is not what the groups say; rewrite it with -update", page)
	}
}
