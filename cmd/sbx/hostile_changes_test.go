package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// hostileChange is what somebody proposes who wants more than the reviewer sees.
type hostileChange struct {
	what string
	do   func(t *testing.T) error // in the repository, of which testdata/hostile.txtar is the base
	says string                   // part of what the review says
}

// replaced changes a text in a file.
func replaced(file, old, new string) func(*testing.T) error {
	return func(t *testing.T) error {
		text, err := os.ReadFile(file)
		if err == nil && strings.Count(string(text), old) != 1 {
			t.Errorf("%s has %q %d times", file, old, strings.Count(string(text), old))
		}
		return errors.Join(err, os.WriteFile(file, []byte(strings.Replace(string(text), old, new, 1)), 0o644))
	}
}

// added puts a line into a profile, by its first field.
func added(file, line string) func(*testing.T) error {
	return replaced(file, "\tbackend: ", "\t"+line+"\n\tbackend: ")
}

// written writes files that may be there; each is a name and a content.
func written(files ...string) func(*testing.T) error {
	return func(*testing.T) (err error) {
		for i := 0; i < len(files); i += 2 {
			err = errors.Join(err, os.MkdirAll(filepath.Dir(files[i]), 0o755), os.WriteFile(files[i], []byte(files[i+1]), 0o644))
		}
		return err
	}
}

// both does one after the other.
func both(do ...func(*testing.T) error) func(*testing.T) error {
	return func(t *testing.T) (err error) {
		for _, one := range do {
			err = errors.Join(err, one(t))
		}
		return err
	}
}

// linked puts a link in a file's place.
func linked(file, to string) func(*testing.T) error {
	return func(*testing.T) error { return errors.Join(os.Remove(file), os.Symlink(to, file)) }
}

const (
	web, job, vm = "web/web.cue", "job/job.cue", "vm/vm.cue"

	wider = `, {out: any: true}` // behind a rule
)

// wide opens the network of the profile web.
var wide = replaced(web, "{in: tcp: [80]}", "{in: tcp: [80]}"+wider)

var hostileChanges = []hostileChange{
	// By each field that opens something.
	{"a device", added(web, `devices: ["/dev/kvm"]`), "the host's /dev/kvm"},
	{"what the host's kernel counts", replaced(web, `"/srv/www": {host: "/srv/www"}`, `"/srv/www": {host: "/srv/www"}, "/host/sys": {figures: "sys"}`), "figures of the host's kernel in /sys"},
	{"whoever listens in a folder", replaced(web, `"/srv/data": {host: "/srv/data"`, `"/srv/data": {sockets: true, host: "/srv/data"`), "by sockets and FIFOs"},
	{"a folder that can be written", replaced(web, `"/srv/www": {host: "/srv/www"}`, `"/srv/www": {host: "/srv/www", writable: true}`), "writes"},
	{"another folder at a path", replaced(web, `{host: "/srv/www"}`, `{host: "/srv"}`), "/srv"},
	{"room without bounds", replaced(web, `, size: "1GiB"`, ``), "unbounded"},
	{"an id of the host's", replaced(web, `{host: "/srv/www"}`, `{host: "/srv/www", writable: true, ids: ["redis"]}`), "redis as itself"},
	{"root's own files", replaced(web, `{host: "/srv/www"}`, `{host: "/srv/www", writable: true, ids: ["all"]}`), "where root inside is root"},
	{"what a file has hidden", replaced(web, `"/etc/ssl/private": {tmpfs: "1MiB"}`, ``), "/etc/ssl/private"},
	{"a program that a file was in the place of", replaced(web, `"/usr/bin/su": {file: ""}`, ``), "/usr/bin/su"},
	{"another program in a file", replaced(web, `file: "port 80"`, `file: "port 81"`), "/srv/web.conf"},
	{"a secret of another file", replaced(web, `file: "/etc/keys/web"`, `file: "/etc/shadow"`), "/etc/shadow"},
	{"a secret's command", replaced(web, `secrets: key: file: "/etc/keys/web"`, `secrets: key: command: ["/bin/sh", "-c", "id"]`), "the command /bin/sh"},
	{"a screen", added(web, `display: {}`), "a screen of"},
	{"the clipboard", replaced(vm, `clipboard: "in"`, `clipboard: "both"`), "out to the viewer's user"},
	{"a screen whose size others change", replaced(vm, `clipboard: "in"`, `clipboard: "in", resize: true`), "changes the screen's size"},
	{"capabilities", replaced(web, `capabilities: ["chown"]`, `capabilities: ["chown", "sys_admin"]`), "sys_admin"},
	{"capabilities of the user", replaced(web, `user: "www-data"`, `user: "www-data", capabilities: ["chown"]`), "chown of the user"},
	{"another user", replaced(web, `user: "www-data"`, `user: "root"`), "user root"},
	{"system calls", added(web, `syscalls: allow: ["bpf"]`), "bpf"},
	{"sandboxes inside", added(web, `syscalls: nested: true`), "syscalls"},
	{"root of the host", added(web, `users: namespace: false`), "root inside is root on the host"},
	{"ids of another sandbox", added(web, `users: base: 655360`), "ids from 655360"},
	{"no AppArmor", added(web, `mac: "none"`), "no AppArmor profile"},
	{"where nothing confines it", replaced(vm, `mac: "require"`, `mac: "prefer"`), "neither AppArmor nor SELinux"},
	{"a setting of the kernel", added(web, `sysctls: "net.ipv4.ip_forward": 1`), "ip_forward"},
	{"more open files", replaced(web, "nofile: 1024", "nofile: 65536"), "ulimit nofile"},
	{"a limit less", replaced(web, "ulimits: nofile: 1024", ""), "ulimit nofile"},
	{"more memory", replaced(web, `memory: "64MiB"`, `memory: "64GiB"`), "memory"},
	{"more processes", replaced(web, `pids: 50`, `pids: 5000`), "pids"},
	{"a step as root", replaced(web, `prepare: [{`, `prepare: [{exec: ["/bin/sh", "-c", "id"], user: "root"}, {`), "prepare"},
	{"another reload", replaced(web, `reload: signal: "HUP"`, `reload: exec: ["/bin/sh", "-c", "id"]`), "reload"},
	{"another check", replaced(web, `health: exec: ["/bin/true"]`, `health: exec: ["/bin/sh", "-c", "id"]`), "health"},
	{"a variable", replaced(web, `env: A: "1"`, `env: {A: "1", LD_PRELOAD: "/srv/data/x.so"}`), "LD_PRELOAD"},
	{"a schedule", replaced(job, `every: "daily"`, `every: "1m"`), "runs by the schedule 1m"},
	{"an order", replaced(job, `after: ["web"]`, `after: ["vm"]`), "starts after vm"},
	{"packets", wide, "egress"},
	{"more of a peer", replaced(web, `from: "10.0.0.0/24"`, `from: "10.0.0.0/23"`), "10.0.1."},
	{"a port of the host", replaced(web, `allow: [`, `publish: [{tcp: 8080, to: 80}], allow: [`), "8080"},
	{"another network", replaced(web, `attach:  "default"`, `attach:  "lan"`), "lan"},
	{"a disk that can be written", replaced(vm, `format: "raw"`, `format: "raw", writable: true`), "writable"},
	{"an emulated machine", replaced(vm, `accel: "require"`, `accel: "prefer"`), "without hardware virtualisation"},
	{"another kernel", replaced(vm, `kernel: "/srv/vmlinuz"`, `kernel: "/srv/other"`), "kernel /srv/other"},
	{"a container instead of a machine", both(replaced(job, `backend: "kvm"`, `backend: "lxc"`)), "backend lxc"},
	{"another name", replaced(job, `name:    "job"`, `name:    "web2"`), "web2"},

	// By where it stands, and what git is told of it.
	{"attributes", both(wide, written(".gitattributes", "*.cue export-ignore export-subst filter=evil ident text eol=crlf\n")), "egress"},
	{"a submodule", func(t *testing.T) error {
		if err := os.RemoveAll("web"); err != nil {
			return err
		}
		inRepository(t, "rm", "-q", "--cached", "-r", "web")
		inRepository(t, "update-index", "--add", "--cacheinfo", "160000,0123456789012345678901234567890123456789,web")
		return nil
	}, "submodule"},
	{"a link to a wider one", both(written("lib/wide.cue", `package web

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "web"
	backend: "lxc"
	run: argv: ["/bin/true"]
	expose: ["/etc/shadow"]
}
`), linked(web, "../lib/wide.cue")), "/etc/shadow"},
	{"a link out of the repository", linked(web, "/etc/passwd"), "web"},
	{"a link to nothing", linked(web, "nothing.cue"), "web"},
	{"a profile in YAML", written("a.yaml", "name: a\nbackend: lxc\nrun: {argv: [/bin/true]}\nexpose: [/etc/shadow]\n"), "/etc/shadow"},
	{"a profile in JSON", written("a.json", `{"name": "a", "backend": "lxc", "run": {"argv": ["/bin/true"]}, "expose": ["/etc/shadow"]}`), "/etc/shadow"},
	{"in a folder of which CUE sees nothing", written("_p/a.cue", newProfile("a")), "a: new"},
	{"in a hidden folder", written(".p/a.cue", newProfile("a")), "a: new"},
	{"in testdata", written("testdata/a.cue", newProfile("a")), "a: new"},
	{"a hidden file", written("web/.a.cue", newProfile("a")), `"web/.a.cue" changed and is not compared`},
	{"a file by a tag", written("web/more.cue", "@if(prod)\n\npackage web\n\nexpose: [\"/etc/shadow\"]\n"), "more.cue"},
	{"a file beside it", written("web/more.cue", "package web\n\nsysctls: \"net.core.somaxconn\": 9\n"), "somaxconn"},
	{"a file above it", written("above.cue", "package job\n\nmounts: \"/etc/shadow\": host: \"/etc/shadow\"\n"), "above.cue"},
	{"what a tag says by itself", replaced(job, `string | *"/srv/a" @tag(dir)`, `string | *"/etc/shadow" @tag(dir)`), "/etc/shadow"},
	{"what it imports", replaced("lib/lib.cue", `["/opt/lib"]`, `["/opt/lib", "/etc/shadow"]`), "/etc/shadow"},
	{"a second profile of its name", written("second/web.cue", newProfile("web")), "web: new"},
	{"none of it", func(*testing.T) error { return os.Remove(web) }, "web: gone"},
	{"in a file that is no profile's", func(*testing.T) error { return os.Rename(web, "web/web.txt") }, "web: gone"},
	{"a file that no profile can be", written("web/more.cue", "package web\n\nnothing: 1\n"), "web"},
	{"a file that cannot be read", written("web/more.cue", "package web\n\n{{{\n"), "more.cue"},
	{"a name that is no text", written("web/\xff.cue", newProfile("a")), `web`},
	{"more than a reader holds", written("web/more.cue", "package web\n"+strings.Repeat("// long\n", 4<<20)), "more.cue"},
}

func newProfile(name string) string {
	return "package " + name + "\n\nimport \"github.com/sbx-dev/sbx/schema\"\n\nschema.#Profile & {\n\tname:    \"" + name + "\"\n\tbackend: \"lxc\"\n\trun: argv: [\"/bin/true\"]\n}\n"
}

func inRepository(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@b.c"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// No change that opens something, or hides from the review what it opens, is taken in
// silence.
func TestHostileChanges(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	base, err := txtar.ParseFile("testdata/hostile.txtar")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	for _, f := range base.Files {
		if err := written(f.Name, string(f.Data))(t); err != nil {
			t.Fatal(err)
		}
	}
	inRepository(t, "init", "-q", "-b", "main")
	inRepository(t, "add", "-A")
	inRepository(t, "commit", "-qm", "base")
	review := func(revisions string) (int, string) {
		var said bytes.Buffer
		code := run(t.Context(), strings.NewReader(""), &said, &said, []string{"review", revisions})
		return code, said.String()
	}
	if code, said := review("main~0..main"); code != 0 || strings.TrimSpace(said) != "no profile changed" {
		t.Fatalf("the base itself: %d %s", code, said)
	}
	held := 0
	for _, c := range hostileChanges {
		inRepository(t, "checkout", "-qfB", "change", "main")
		inRepository(t, "clean", "-qfdx")
		if err := c.do(t); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s: %v", c.what, err)
		}
		if c.what != "a submodule" { // which has no files that could be added
			inRepository(t, "add", "-A")
		}
		inRepository(t, "commit", "-qm", c.what)
		code, said := review("main..change")
		if code != verb.ExitChanges && code != verb.ExitError || !strings.Contains(said, c.says) {
			t.Errorf("%s: %d, want to be told of %q:\n%s", c.what, code, c.says, said)
			continue
		}
		held++
	}
	t.Logf("%5d held: changes under review", held)
}
