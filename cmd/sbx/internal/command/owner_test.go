package command

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/schema"
)

// The command runs as whose folder it is given to write to, in a container of root's;
// root's own folders change nothing, and who names a user has it.
func TestRunFollowsTheFolderOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root makes folders of others")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 1234, 1235); err != nil {
		t.Fatal(err)
	}
	if !runtime.KeepsIDs(dir) {
		t.Skip("the file system of " + dir + " has no ID-mapped mounts")
	}
	roots := t.TempDir()
	for _, c := range []struct {
		rw, user  string
		wantUser  string
		wantIDs   bool
		namespace bool
	}{
		{dir, "", "1234:1235", true, true},
		{filepath.Join(dir, "new/folder"), "", "1234:1235", true, true},
		{dir, "33", "33", true, true},
		{roots, "", "root", false, true},
		{dir, "", "root", false, false},
	} {
		p := schema.Defaults()
		p.Backend, p.Users.Namespace = schema.LXC, c.namespace
		f := runFlags{RW: []string{c.rw + ":/work"}, User: c.user}
		if _, err := f.apply(p); err != nil {
			t.Fatal(err)
		}
		m := p.Mounts["/work"]
		if p.Run.User != c.wantUser || (len(m.IDs) == 1 && m.IDs[0] == "1234:1235") != c.wantIDs {
			t.Errorf("%+v: user %s, ids %q", c, p.Run.User, m.IDs)
		}
	}
}
