package runtime_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// The host's users of the table: one whose ids a mount keeps, and another one.
const (
	keptUser  = 4101
	otherUser = 4102
)

// ownerBase is the host's id of root in the sandbox of the table.
const ownerBase = 655360000

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

// ownerMounts are the ways in which a folder is shown. Each is shown writable, by
// whose it has to be for that, so that the mount itself hinders nobody.
var ownerMounts = []struct {
	name, fields string
	owner        int
}{
	{"no `ids`", "", ownerBase},
	{"`ids: [\"4101\"]`", `, ids: ["4101"]`, keptUser},
	{"`ids: \"all\"`", `, ids: "all"`, 0},
}

// ownerUsers are those inside.
var ownerUsers = []struct{ name, user string }{
	{"root, with every capability over files", "root"}, {"the kept user", "4101:4101"}, {"another user", "4102:4102"},
}

// What a container's users may do with the host's files, by whose the files are and
// how their folder is mounted. It is the handbook's table; each file system that can
// keep ids gives the same.
func TestOwners(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	systems := ownerSystems(t)
	profile := new(strings.Builder)
	for _, system := range slices.Sorted(maps.Keys(systems)) {
		for i, m := range ownerMounts {
			host := fmt.Sprintf("%s/%d", systems[system], i)
			fillFolder(t, host, m.owner)
			fmt.Fprintf(profile, "mounts: \"/%s/%d\": {host: %q, writable: true%s}\n", system, i, host, m.fields)
		}
	}
	up(t, r, compileText(t, `package owners

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name: "owners", backend: "lxc"
	run: argv: ["/usr/bin/sleep", "100000"]
	expose: ["/usr"]
	capabilities: ["chown", "dac_override", "fowner", "setgid", "setuid"]
	users: base: 655360000
	`+profile.String()+"}\n"))
	client, err := r.Attach(t.Context(), "owners")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	tables := map[string]string{}
	for system := range systems {
		tables[system] = ownerTable(t, client, systems[system], system)
	}
	names := slices.Sorted(maps.Keys(tables))
	for _, system := range names[1:] {
		if tables[system] != tables[names[0]] {
			t.Errorf("%s:\n%s\n%s:\n%s", names[0], tables[names[0]], system, tables[system])
		}
	}
	t.Logf("file systems: %s", strings.Join(names, ", "))
	checkOwnerTable(t, tables[names[0]])
}

// ownerTable asks each user to read and write each file, and to make one.
func ownerTable(t *testing.T, client *channel.Client, host, system string) string {
	t.Helper()
	answers := map[string]string{}
	for _, u := range ownerUsers {
		const script = `cd / && for dir in "$1"/*; do for file in "$dir"/*; do
			r=; w=; cat "$file" >/dev/null 2>&1 && r=reads; { echo x >>"$file"; } 2>/dev/null && w=writes
			echo "$file:$r${r:+${w:+, }}$w"; done; (umask 0; : >"$dir/made by $2") 2>/dev/null; done`
		var out bytes.Buffer
		exit, err := client.Exec(t.Context(), channel.Command{User: u.user, Argv: []string{"/usr/bin/sh", "-c", script, "sh", "/" + system, u.user}, Env: []string{"PATH=/usr/bin"}}, channel.Stdio{Stdout: &out, Stderr: &out})
		if err != nil || exit.Code != 0 && exit.Code != 2 {
			t.Fatalf("%v, %v\n%s", exit, err, &out)
		}
		for line := range strings.Lines(out.String()) {
			path, may, _ := strings.Cut(strings.TrimSpace(line), ":")
			answers[u.user+strings.TrimPrefix(path, "/"+system)] = may
		}
	}
	var table strings.Builder
	fmt.Fprintf(&table, "| the mount says | the file is | %s | %s | %s |\n|---|---|---|---|---|\n", ownerUsers[0].name, ownerUsers[1].name, ownerUsers[2].name)
	for i, m := range ownerMounts {
		for _, f := range ownerFiles {
			fmt.Fprintf(&table, "| %s | %s |", m.name, f.name)
			for _, u := range ownerUsers {
				may, asked := answers[fmt.Sprintf("%s/%d/%s", u.user, i, f.name)]
				if !asked {
					t.Errorf("%s was not asked about %s in %s", u.name, f.name, m.name)
				}
				if strings.HasSuffix(f.name, "0600") && f.owner != ownerBase && m.fields == "" && may != "" {
					t.Errorf("%s, mount without ids: %s %s", f.name, u.name, may)
				}
				fmt.Fprintf(&table, " %s |", or(may, "–"))
			}
			table.WriteString("\n")
		}
		fmt.Fprintf(&table, "| %s | made there: on the host it belongs to |", m.name)
		for _, u := range ownerUsers {
			fmt.Fprintf(&table, " %s |", madeBy(t, fmt.Sprintf("%s/%d/made by %s", host, i, u.user)))
		}
		table.WriteString("\n")
	}
	return table.String()
}

// checkOwnerTable holds the handbook's table against what was found.
func checkOwnerTable(t *testing.T, table string) {
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
	case said != table:
		t.Errorf("the table of %s is not true any more (-said +found), rewrite it with -update:\n%s", file, cmp.Diff(said, table))
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
	case info.Uid >= ownerBase:
		return fmt.Sprintf("base + %d", info.Uid-ownerBase)
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

// ownerSystems are folders on file systems that keep ids: in memory, and those that
// this machine can make, in a file each.
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
	for name, make := range map[string][]string{"ext4": {"mkfs.ext4", "-q"}, "xfs": {"mkfs.xfs", "-q"}, "btrfs": {"mkfs.btrfs", "-q"}} {
		if _, err := exec.LookPath(make[0]); err != nil {
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
			t.Logf("without %s: %v\n%s", name, err, out)
			delete(systems, name)
		}
	}
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
