package state_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/state"
)

var update = flag.Bool("update", false, "write the handbook's table anew")

// made are all folders that Make is asked for.
var made = [][]string{
	{},
	{state.Locks},
	{state.Claims},
	{state.Inits},
	{state.Cache},
	{state.Profiles},
	{state.Embed, state.EmbedCache},
	{state.Embed, "0", state.EmbedConfig},
	{state.Guard, state.Walls},
	{"web"},
	{"web", state.Boot},
	{"web", state.Exports},
}

// withUmask calls do under another umask, which is the whole process's.
func withUmask(mask int, do func()) {
	defer unix.Umask(unix.Umask(mask))
	do()
}

// fresh is a state folder that is not there yet, where sandboxes' users can pass.
func fresh(t *testing.T) state.Folder {
	t.Helper()
	base, err := os.MkdirTemp("/tmp", "sbx-state-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}
	return state.Folder(filepath.Join(base, "sbx"))
}

// modes are those of all that is in the folder.
func modes(t *testing.T, f state.Folder) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(string(f), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		all = append(all, fmt.Sprint(strings.TrimPrefix(path, string(f)), " ", info.Mode()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

// Whoever is first, and under whatever umask, makes the same.
func TestEveryFolderMayBeTheFirst(t *testing.T) {
	want := ""
	for _, mask := range []int{0o022, 0, 0o027, 0o077, 0o177, 0o777} {
		for first := range made {
			f := fresh(t)
			withUmask(mask, func() {
				for i := range made {
					if _, err := f.Make(made[(first+i)%len(made)]...); err != nil {
						t.Fatal(err)
					}
				}
			})
			got := modes(t, f)
			if want == "" {
				want = got
			}
			if got != want {
				t.Errorf("umask %#o, %v first:\n%s\nelse\n%s", mask, made[first], got, want)
			}
		}
	}
	for line := range strings.Lines(want) {
		path, mode, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if e, ok := state.Find(strings.TrimPrefix(path, "/")); ok && e.Mode.String() != mode {
			t.Errorf("%s has the mode %s, and by the table %v", path, mode, e.Mode)
		}
	}
}

// A mode that keeps sandboxes from starting is mended; until then, Check names it.
func TestModesAreMended(t *testing.T) {
	f := fresh(t)
	right := ""
	for _, mode := range []os.FileMode{0o711, 0o700, 0o777, 0, 0o755 | os.ModeSetgid} {
		if _, err := f.Make("web"); err != nil {
			t.Fatal(err)
		}
		right = modes(t, f)
		for _, path := range []string{f.Path("web"), f.Path()} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		var problem *state.Problem
		if err := f.Check("web"); mode != 0o711 && (!errors.As(err, &problem) || !problem.Mendable || problem.Mend != "chmod 0711 "+string(f)) {
			t.Errorf("mode %v: Check says %v", mode, err)
		}
		if _, err := f.Make("web"); err != nil {
			t.Errorf("mode %v: %v", mode, err)
		}
		if err := f.Check("web"); err != nil {
			t.Errorf("once mended: %v", err)
		}
		if got := modes(t, f); got != right {
			t.Errorf("mode %v became\n%s\nwhich was\n%s", mode, got, right)
		}
	}
}

// What somebody else could change is refused, and left as it is.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(f state.Folder) error
		want string
	}{
		{"a link", func(f state.Folder) error { return os.Symlink("/tmp", string(f)) }, "is a link"},
		{"a file", func(f state.Folder) error { return os.WriteFile(string(f), nil, 0o644) }, "is not a folder"},
		{"another user's", func(f state.Folder) error {
			return errors.Join(os.Mkdir(string(f), 0o711), os.Chown(string(f), 12345, 12345))
		}, "belongs to user 12345"},
		{"a link inside", func(f state.Folder) error {
			_, err := f.Make()
			return errors.Join(err, os.Symlink("/tmp", f.Path(state.Locks)))
		}, state.Locks + " is a link"},
		{"a folder that none may pass", func(f state.Folder) error { return os.Chmod(filepath.Dir(string(f)), 0o750) }, "chmod o+x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			f := fresh(t)
			if err := c.make(f); err != nil {
				t.Fatal(err)
			}
			before := modes(t, state.Folder(filepath.Dir(string(f))))
			_, err := f.Make(state.Locks)
			var problem *state.Problem
			if !errors.As(err, &problem) || problem.Mend == "" || problem.Mendable || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Make: %v, want %q", err, c.want)
			}
			if check := f.Check(state.Locks); check == nil || check.Error() != err.Error() {
				t.Errorf("Check says %v, and Make %v", check, err)
			}
			if after := modes(t, state.Folder(filepath.Dir(string(f)))); after != before {
				t.Errorf("it has changed:\n%s\nwas\n%s", after, before)
			}
		})
	}
}

// A container's first process cannot be run from a file system that is mounted
// noexec, which machines do not mind.
func TestNoexec(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: its mounts end with the thread
		done <- unix.Unshare(unix.CLONE_NEWNS)
		done <- unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		f := fresh(t)
		done <- unix.Mount("none", filepath.Dir(string(f)), "tmpfs", unix.MS_NOEXEC, "mode=755")
		check := f.Check(state.Inits)
		_, err := f.Make(state.Inits)
		again := f.Check(state.Inits)
		for _, err := range []error{check, err, again} {
			if err == nil || !strings.Contains(err.Error(), "mount -o remount,exec") {
				t.Error(err)
			}
		}
		_, err = f.Make("web", state.Boot)
		done <- errors.Join(err, unix.Unmount(filepath.Dir(string(f)), unix.MNT_DETACH))
		close(done)
	}()
	for err := range done {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Check makes nothing, and what it finds nothing against can be made.
func TestCheckChangesNothing(t *testing.T) {
	f := fresh(t)
	if err := f.Check("web", state.Boot); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(string(f)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
	if err := state.Folder("").Check(); err == nil || !strings.Contains(err.Error(), "XDG_STATE_HOME") {
		t.Errorf("no place for it: %v", err)
	}
	if err := state.Folder("/\xff/sbx").Check(); err == nil || !strings.Contains(err.Error(), "XML") {
		t.Errorf("a name that XML cannot hold: %v", err)
	}
	if err := state.Folder("/etc/passwd/sbx").Check(); err == nil {
		t.Error("it could be made below a file")
	}
}

// TestHandbook holds docs/state.md to the table.
func TestHandbook(t *testing.T) {
	const page, begin, end = "../../docs/state.md", "<!-- the table of internal/state -->\n", "<!-- its end -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", page)
	}
	if table == state.Table() {
		return
	}
	if !*update {
		t.Fatalf("the table of %s is not the package's: go test ./internal/state -update", page)
	}
	if err := os.WriteFile(page, []byte(before+begin+state.Table()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
