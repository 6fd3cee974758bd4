package runtime_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/schema/load"
)

// The host's users of the table: one whose ids a mount keeps, and another one.
const (
	keptUser  = 4101
	otherUser = 4102
)

// ownersName is the sandbox of the table, and ownerBase the host's id of its root.
const ownersName = "owners"

var ownerBase = int(compiler.IDBase(ownersName))

// ownerFiles are what each folder holds: whose, and with which mode.
var ownerFiles = []struct {
	name  string
	owner int
	mode  os.FileMode
}{
	{"root's 0600", 0, 0o600}, {"root's 0644", 0, 0o644},
	{"the kept user's 0600", keptUser, 0o600}, {"the kept user's 0644", keptUser, 0o644},
	{"another user's 0600", otherUser, 0o600}, {"another user's 0666", otherUser, 0o666},
	{"the sandbox's own 0600", ownerBase, 0o600},
}

// madeThere is the row of files that are made inside.
const madeThere = "made there: on the host it belongs to"

// ownerMounts are the ways in which a folder is shown. One that is writable is by whose
// it has to be for that, so that the mount itself hinders nobody.
var ownerMounts = []struct {
	name, fields string
	owner        int
}{
	{"nothing", "", 0},
	{"`writable`", `, writable: true`, ownerBase},
	{"`ids: [\"4101\"]`", `, ids: ["4101"]`, keptUser},
	{"`ids: [\"4101\"]`, `writable`", `, ids: ["4101"], writable: true`, keptUser},
	{"`ids: \"all\"`, `writable`", `, ids: "all", writable: true`, 0},
}

// ownerUsers are those inside.
var ownerUsers = []struct{ name, user string }{
	{"root, with every capability over files", "root"}, {"the kept user", "4101:4101"}, {"another user", "4102:4102"},
}

// ownerCase is a folder of one of ownerMounts in a backend, on a file system.
type ownerCase struct {
	backend, system, host string
	mount                 int
}

// keepsIDs says whether the mount wants ids to be kept.
func (c ownerCase) keepsIDs() bool { return strings.Contains(ownerMounts[c.mount].fields, "ids") }

// inside is where the folder is in the sandbox.
func (c ownerCase) inside() string { return fmt.Sprintf("/%s/%d", c.system, c.mount) }

// What users inside may do with the host's files, by whose the files are, how their
// folder is mounted, in which backend and on which file system: the handbook's table. In
// no row that does not say `ids` does anybody read a file of 0600 that is another's.
func TestOwners(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	systems := ownerSystems(t)
	names := slices.Sorted(maps.Keys(systems))
	table := new(ownerTable)
	for _, backend := range sandboxes {
		t.Run(backend, func(t *testing.T) {
			var cases []ownerCase
			for i := range ownerMounts {
				for _, system := range names {
					c := ownerCase{backend, system, fmt.Sprintf("%s/%s%d", systems[system], backend, i), i}
					fillFolder(t, c.host, ownerMounts[i].owner)
					if c.keepsIDs() && (backend == "kvm" || system == "overlay") {
						table.add(c, []string{"any", "refused, with the other ways", "–", "–"})
						ownersRefused(t, r, c)
						continue
					}
					cases = append(cases, c)
				}
			}
			b, err := compileOwners(t, backend, cases)
			if err != nil {
				t.Fatal(err)
			}
			up(t, r, b)
			client, err := r.Attach(t.Context(), ownersName)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			for _, c := range cases {
				table.ask(t, client, c)
			}
		})
	}
	if !t.Failed() {
		checkOwnerTable(t, table.String(), systems)
	}
}

// compileOwners compiles a sandbox with the folders of cases.
func compileOwners(t *testing.T, backend string, cases []ownerCase) (*compiler.Bundle, error) {
	t.Helper()
	text := fmt.Sprintf(`package owners

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name: %q, backend: %q
	run: argv: ["/usr/bin/sleep", "100000"]
	expose: ["/usr"]
	capabilities: ["chown", "dac_override", "fowner", "setgid", "setuid"]
`, ownersName, backend)
	for _, c := range cases {
		text += fmt.Sprintf("\tmounts: %q: {host: %q%s}\n", c.inside(), c.host, ownerMounts[c.mount].fields)
	}
	config := load.Config{Stdin: strings.NewReader(text + "}\n")}
	profiles, err := config.Load("-")
	if err != nil {
		return nil, err
	}
	return compiler.Compile(profiles[0], compiler.Options{})
}

// ownersRefused holds that what cannot keep ids is refused: by the compiler where no
// machine can, and by up where the file system cannot.
func ownersRefused(t *testing.T, r *runtime.Runtime, c ownerCase) {
	t.Helper()
	b, err := compileOwners(t, c.backend, []ownerCase{c})
	want := "ids"
	if c.backend == "lxc" && err == nil {
		want = "its file system, overlay, has no ID-mapped mounts"
		_, err = r.Up(t.Context(), b)
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%+v: got %v, want something with %q", c, err, want)
	}
}

// ownerTable is what was found, a row for files of one mount that come to the same.
type ownerTable struct{ rows []*ownerRow }

type ownerRow struct {
	backend        string
	mount          int
	files, systems []string
	answers        string
}

// add adds a file with what each user may do with it.
func (o *ownerTable) add(c ownerCase, cells []string) {
	o.rows = append(o.rows, &ownerRow{c.backend, c.mount, cells[:1], []string{c.system}, strings.Join(cells[1:], " | ")})
}

// ask asks each user to read and write each file, and to make one.
func (o *ownerTable) ask(t *testing.T, client *channel.Client, c ownerCase) {
	t.Helper()
	answers := map[string]string{}
	for _, u := range ownerUsers {
		const script = `for file in "$1"/*0*; do
			r=; w=; { read -r x <"$file"; } 2>/dev/null && r=reads; { echo x >>"$file"; } 2>/dev/null && w=writes
			echo "${file##*/}:$r${r:+${w:+, }}$w"; done; (umask 0; : >"$1/made by $2") 2>/dev/null`
		var out bytes.Buffer
		exit, err := client.Exec(t.Context(), channel.Command{User: u.user, Argv: []string{"/usr/bin/sh", "-c", script, "sh", c.inside(), u.user}, Env: []string{"PATH=/usr/bin"}}, channel.Stdio{Stdout: &out, Stderr: &out})
		if err != nil || exit.Code != 0 && exit.Code != 2 {
			t.Fatalf("%v, %v\n%s", exit, err, &out)
		}
		for line := range strings.Lines(out.String()) {
			name, may, _ := strings.Cut(strings.TrimSpace(line), ":")
			answers[u.user+" "+name] = may
		}
	}
	for _, f := range ownerFiles {
		cells := []string{f.name}
		for _, u := range ownerUsers {
			may, asked := answers[u.user+" "+f.name]
			if !asked {
				t.Errorf("%s was not asked about %s in %+v", u.name, f.name, c)
			}
			if f.mode == 0o600 && f.owner != ownerBase && !c.keepsIDs() && may != "" {
				t.Errorf("%s, mount without ids: %s %s (%+v)", f.name, u.name, may, c)
			}
			cells = append(cells, or(may, "–"))
		}
		o.add(c, cells)
	}
	if strings.Contains(ownerMounts[c.mount].fields, "writable") {
		cells := []string{madeThere}
		for _, u := range ownerUsers {
			cells = append(cells, madeBy(t, c.host+"/made by "+u.user))
		}
		o.add(c, cells)
	}
}

// String is the table as the handbook has it: what comes to the same stands in one row.
func (o *ownerTable) String() string {
	slices.SortStableFunc(o.rows, func(a, b *ownerRow) int {
		return cmp.Or(strings.Compare(b.backend, a.backend), a.mount-b.mount)
	})
	rows := merge(o.rows, func(a, b *ownerRow) bool { return slices.Equal(a.files, b.files) }, func(into, r *ownerRow) {
		into.systems = append(into.systems, r.systems...)
	})
	rows = merge(rows, func(a, b *ownerRow) bool { return slices.Equal(a.systems, b.systems) }, func(into, r *ownerRow) {
		into.files = append(into.files, r.files...)
	})
	var table strings.Builder
	fmt.Fprintf(&table, "| backend | the mount says | file system | the file is | %s | %s | %s |\n|---|---|---|---|---|---|---|\n", ownerUsers[0].name, ownerUsers[1].name, ownerUsers[2].name)
	for _, r := range rows {
		fmt.Fprintf(&table, "| %s | %s | %s | %s | %s |\n", r.backend, ownerMounts[r.mount].name, strings.Join(r.systems, ", "), strings.Join(r.files, ", "), r.answers)
	}
	return table.String()
}

// merge puts rows of one mount together that have the same answers, where the rest is alike.
func merge(rows []*ownerRow, alike func(a, b *ownerRow) bool, join func(into, r *ownerRow)) (all []*ownerRow) {
	for _, r := range rows {
		i := slices.IndexFunc(all, func(a *ownerRow) bool {
			return a.backend == r.backend && a.mount == r.mount && a.answers == r.answers && alike(a, r)
		})
		if i < 0 {
			all = append(all, r)
			continue
		}
		join(all[i], r)
	}
	return all
}

// checkOwnerTable holds the handbook's table against what was found.
func checkOwnerTable(t *testing.T, table string, systems map[string]string) {
	t.Helper()
	const file = "../docs/users.md"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, _, _ := strings.Cut(table, "\n")
	before, rest, found := strings.Cut(string(page), begin+"\n")
	said, after, _ := strings.Cut(begin+"\n"+rest, "\n\n")
	switch said += "\n"; {
	case !found:
		t.Errorf("%s has no table that begins with %s", file, begin)
	case *update:
		if err := os.WriteFile(file, []byte(before+table+"\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case withoutSystems(said, systems) != table:
		t.Errorf("the table of %s is not true any more (-said +found), rewrite it with -update:\n%s", file, gocmp.Diff(said, table))
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// madeBy says in a word whose a file is on the host that somebody was to make inside.
func madeBy(t *testing.T, path string) string {
	t.Helper()
	var info unix.Stat_t
	switch err := unix.Stat(path, &info); {
	case errors.Is(err, unix.ENOENT):
		return "nobody: it cannot"
	case err != nil:
		t.Fatal(err)
	case int(info.Uid) >= ownerBase:
		return fmt.Sprintf("base + %d", int(info.Uid)-ownerBase)
	}
	return fmt.Sprint(info.Uid)
}

// fillFolder makes a folder that everyone may write to, and the files.
func fillFolder(t *testing.T, dir string, owner int) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chown(dir, owner, owner), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	for _, f := range ownerFiles {
		path := filepath.Join(dir, f.name)
		if err := errors.Join(os.WriteFile(path, []byte("secret\n"), 0o600), os.Chown(path, f.owner, f.owner), os.Chmod(path, f.mode)); err != nil {
			t.Fatal(err)
		}
	}
}

// withoutSystems takes the file systems that this machine's kernel does not have out of a table.
func withoutSystems(table string, systems map[string]string) string {
	for name := range diskSystems {
		if systems[name] == "" {
			table = regexp.MustCompile(`, `+name+`\b|\b`+name+`, `).ReplaceAllString(table, "")
		}
	}
	return table
}

// diskSystems are file systems that are made in a file, and how.
var diskSystems = map[string][]string{"ext4": {"mkfs.ext4", "-q"}, "xfs": {"mkfs.xfs", "-q"}, "btrfs": {"mkfs.btrfs", "-q"}}

// ownerSystems are folders on file systems: in memory, the overlay that a test host's
// /srv is, and in a file each.
func ownerSystems(t *testing.T) map[string]string {
	t.Helper()
	dir := sharedDir(t)
	systems := map[string]string{}
	at := func(name string) string {
		point := filepath.Join(dir, name)
		if err := os.Mkdir(point, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(point, unix.MNT_DETACH) })
		systems[name] = point
		return point
	}
	if err := unix.Mount("tmpfs", at("tmpfs"), "tmpfs", 0, "mode=755"); err != nil {
		t.Fatal(err)
	}
	known, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		t.Fatal(err)
	}
	for name, make := range diskSystems {
		if _, err := os.Stat("/dev/loop-control"); err != nil || !strings.Contains(string(known), "\t"+name+"\n") {
			t.Logf("this machine's kernel has no %s, or no loop devices", name)
			continue
		}
		image := filepath.Join(dir, name+".img")
		if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 320<<20)); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(make[0], append(make[1:], image)...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", make[0], err, out)
		}
		point := at(name)
		if out, err := exec.Command("mount", "-o", "loop", image, point).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	systems["overlay"] = "/srv/owners"
	t.Cleanup(func() { os.RemoveAll(systems["overlay"]) })
	return systems
}

// What cannot keep ids is refused with the other ways, and what is named and not
// there by its name.
func TestIDsThatCannotBeKept(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	if err := os.MkdirAll("/srv/kept", 0o755); err != nil { // the test host's /srv is an overlay
		t.Fatal(err)
	}
	rootsFolder := sharedDir(t)
	for fields, want := range map[string]string{
		`host: "/srv/kept", ids: ["0:0"]`:                              "its file system, overlay, has no ID-mapped mounts",
		`host: "/srv/kept", ids: ["nobody-has-this-name"]`:             "neither a user nor a group of that name",
		`host: "/srv/kept", writable: true`:                            "chown -R",
		`host: "` + rootsFolder + `", writable: true, ids: ["4101"]`:   `whom its ids do not name: add "root"`,
		`host: "/srv/kept/new", writable: true, owner: "no-such-user"`: `the user "no-such-user" is not in the sandbox's /etc/passwd`,
	} {
		b := compileText(t, `package refused

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name: "unkept", backend: "lxc"
	run: argv: ["/usr/bin/sleep", "1000"]
	expose: ["/usr"]
	mounts: "/data": {`+fields+"}\n}\n")
		if _, err := r.Up(t.Context(), b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want something with %q", fields, err, want)
			_, _ = r.Down(t.Context(), "unkept")
		}
	}
}
