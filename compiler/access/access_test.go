package access_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/access"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/shelf"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// profile is one with every kind of mount.
const profile = `package web

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "web"
	backend: *"lxc" | "kvm" @tag(backend)
	run: argv: ["/usr/bin/true"]
	expose: ["/usr", "/etc/passwd"]
	mounts: {
		"/var/www":       {host: "/srv/www"}
		"/var/www/drop":  {host: "/srv/drop", writable: true}
		"/usr/lib/games": {tmpfs: "1MiB"}
		"/etc/motd":      {file: "hello\n"}
	}
}
`

// loaded is the profile with one thing written otherwise, and its bundle.
func loaded(t *testing.T, old, new string, tags ...string) (*schema.Profile, *compiler.Bundle) {
	t.Helper()
	c := &load.Config{Tags: tags, Stdin: strings.NewReader(strings.Replace(profile, old, new, 1))}
	found, err := c.Load("-")
	if err != nil {
		t.Fatal(err)
	}
	return found[0], compiled(t, found[0])
}

func compiled(t *testing.T, p *schema.Profile) *compiler.Bundle {
	t.Helper()
	b, err := compiler.Compile(p, compiler.Options{Peers: compiler.Peers([]*schema.Profile{p})})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func explain(t *testing.T, p *schema.Profile, b *compiler.Bundle, attempt string) *access.Explanation {
	t.Helper()
	a, err := access.Parse(attempt)
	if err != nil {
		t.Fatal(err)
	}
	e, err := access.Explain(p, b, a)
	if err != nil {
		t.Fatalf("%s: %v", attempt, err)
	}
	return e
}

// row is what the walls say to an attempt: a letter for each in their order (allows,
// refuses, host), the wall that decides, and the place of the line that shows the path.
type row struct{ attempt, walls, decides, place string }

func check(t *testing.T, p *schema.Profile, b *compiler.Bundle, rows []row) {
	t.Helper()
	for _, want := range rows {
		e := explain(t, p, b, want.attempt)
		got := row{attempt: want.attempt, place: e.Answers[0].Place}
		for _, a := range e.Answers {
			got.walls += string(a.Verdict[0])
			if (a.Place != "") != (a.Pos.Line != 0) {
				t.Errorf("%s: %s: %s has the position %v", want.attempt, a.Wall, a.Place, a.Pos)
			}
		}
		if by := e.Decides(); by != nil {
			got.decides = by.Wall
		}
		if got != want {
			t.Errorf("got  %+v\nwant %+v\n%+v", got, want, e.Answers)
		}
	}
}

func TestEveryWallOfAContainer(t *testing.T) {
	p, b := loaded(t, "", "")
	check(t, p, b, []row{
		{"read /usr/bin/id", "ahah", access.IDs, "expose[0]"},
		{"execute /usr/bin/id", "ahah", access.IDs, "expose[0]"},
		{"write /usr/bin/id", "rhrr", access.Mounts, "expose[0]"},
		{"write /bin/id", "rhrr", access.Mounts, "expose[0]"}, // by the link /bin
		{"read /etc/passwd", "ahah", access.IDs, "expose[1]"},
		{"read /var/www/x", "ahah", access.IDs, `mounts."/var/www"`},
		{"write /var/www/x", "rhrr", access.Mounts, `mounts."/var/www"`},
		{"write /var/www/drop/x", "ahaa", access.IDs, `mounts."/var/www/drop"`},
		{"execute /var/www/drop/x", "ahaa", access.IDs, `mounts."/var/www/drop"`},
		{"write /usr/lib/games/x", "aaaa", "", `mounts."/usr/lib/games"`},
		{"read /etc/motd", "aaaa", "", "mounts.\"/etc/motd\""},
		{"write /etc/motd", "rarr", access.Mounts, "mounts.\"/etc/motd\""},
		{"write /dev/shm/x", "aaaa", "", ""},
		{"read /etc/shadow", "rhrh", access.Mounts, ""},
		{"read /etc", "aaaa", "", ""},
		{"read /", "aaaa", "", ""},
		{"write /etc", "rarr", access.Mounts, ""},
		{"write /etc/new", "rhrr", access.Mounts, ""},
		{"read /srv/www/x", "rhrh", access.Mounts, `mounts."/var/www"`},
		{"write /usrx", "rhrr", access.Mounts, ""},
		{"write /usr/../etc/x", "rhrr", access.Mounts, ""},
	})
	if e := explain(t, p, b, "read /srv/www/x"); !strings.Contains(e.Answers[0].Why, "is /var/www/x there") {
		t.Errorf("%+v", e.Answers[0])
	}
}

func TestEveryWallOfAMachine(t *testing.T) {
	p, b := loaded(t, "", "", "backend=kvm")
	check(t, p, b, []row{
		{"read /usr/bin/id", "ahah", access.IDs, "expose[0]"},
		{"execute /usr/bin/id", "ahah", access.IDs, "expose[0]"}, // which QEMU reads
		{"write /usr/bin/id", "rhrr", access.Mounts, "expose[0]"},
		{"write /var/www/drop/x", "ahaa", access.IDs, `mounts."/var/www/drop"`},
		{"write /usr/lib/games/x", "aaaa", "", `mounts."/usr/lib/games"`},
		{"write /etc/motd", "raaa", access.Mounts, "mounts.\"/etc/motd\""},
		{"read /etc/shadow", "rhrh", access.Mounts, ""},
		{"read /", "aaaa", "", ""},
		{"write /etc", "raaa", access.Mounts, ""},
	})
}

func TestDevices(t *testing.T) {
	p, b := loaded(t, `name:    "web"`, `name: "web", devices: ["/dev/net/tun", "/dev/fuse"]`)
	check(t, p, b, []row{
		{"read /dev/fuse", "aaaa", "", "devices[1]"},
		{"write /dev/net/tun", "aaaa", "", "devices[0]"},
		{"execute /dev/net/tun", "rarr", access.Mounts, "devices[0]"},
	})
}

func TestWallsThatAProfileTakesDown(t *testing.T) {
	p, b := loaded(t, `name:    "web"`, `name: "web", users: namespace: false`)
	check(t, p, b, []row{
		{"read /etc/passwd", "aaah", "", "expose[1]"},
		{"write /etc/passwd", "rarr", access.Mounts, "expose[1]"},
	})
	p, b = loaded(t, `name:    "web"`, `name: "web", mac: "none"`)
	check(t, p, b, []row{{"write /etc/passwd", "rhaa", access.Mounts, "expose[1]"}})
	p, b = loaded(t, "writable: true}", `writable: true, ids: ["all"]}`)
	check(t, p, b, []row{{"write /var/www/drop/x", "aaaa", "", `mounts."/var/www/drop"`}})
}

// Of what a shipped profile shows and makes, AppArmor's profile and SELinux's policy open
// what the mounts do, and no more.
func TestWallsAgree(t *testing.T) {
	names, err := shelf.Names()
	if err != nil || len(names) == 0 {
		t.Fatal("no shipped profiles", err)
	}
	for _, backend := range schema.Backends() {
		for _, name := range names {
			p, err := shelf.Load(name, backend)
			if err != nil {
				t.Fatal(err)
			}
			if p != nil {
				agree(t, p)
			}
		}
	}
}

func agree(t *testing.T, p *schema.Profile) {
	t.Helper()
	b := compiled(t, p)
	m, err := manifest.Decode(b.File("initrd.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, mount := range m.Mounts {
		for _, way := range []string{access.Read, access.Write} {
			e := explain(t, p, b, way+" "+mount.Target)
			if len(e.Answers) != 4 {
				t.Fatalf("%+v", e.Answers)
			}
			mounts, appArmor, selinux := e.Answers[0].Verdict, e.Answers[2].Verdict, e.Answers[3].Verdict
			inside := p.Backend.BootsKernel() && e.Source == ""
			if appArmor != mounts && !inside && p.MAC != schema.MACNone {
				t.Errorf("%s (%s): %s %s: the mounts say %s, AppArmor %s: %s", p.Name, p.Backend, way, mount.Target, mounts, appArmor, e.Answers[2].Why)
			}
			if (selinux == access.Refuses) != (mounts == access.Refuses) && !inside && b.File(compiler.SELinuxFile) != nil {
				t.Errorf("%s (%s): %s %s: the mounts say %s, SELinux %s: %s", p.Name, p.Backend, way, mount.Target, mounts, selinux, e.Answers[3].Why)
			}
		}
	}
}

func TestWhatIsNoAttempt(t *testing.T) {
	for _, text := range []string{"", "read", "write x", "run /usr/bin/id", "read  ", "write /a\x00b"} {
		if a, err := access.Parse(text); err == nil {
			t.Errorf("%q is %v", text, a)
		}
	}
	for text, want := range map[string]bool{"read /x": true, "write": true, "in tcp 10.0.0.1 -> :80": false, "": false, "reads /x": true, "reads x": false} {
		if access.Is(text) != want {
			t.Errorf("%q", text)
		}
	}
	p, b := loaded(t, "", "")
	for _, kernels := range []string{"/proc/sys/kernel/panic", "/sys", "/dev/null", "/.sbx/init"} {
		if _, err := access.Explain(p, b, access.Attempt{Way: access.Read, Path: kernels}); err == nil || !strings.Contains(err.Error(), "not of the profile") {
			t.Errorf("%s: %v", kernels, err)
		}
	}
}

func FuzzExplain(f *testing.F) {
	for _, text := range []string{"read /usr/bin/id", "write /bin/../etc/motd", "execute /", "write //dev/shm/\xff", "read /lib64/{x"} {
		f.Add(text)
	}
	c := &load.Config{Stdin: strings.NewReader(profile)}
	found, err := c.Load("-")
	if err != nil {
		f.Fatal(err)
	}
	b, err := compiler.Compile(found[0], compiler.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := access.Parse(text)
		if err != nil {
			return
		}
		e, err := access.Explain(found[0], b, a)
		if err == nil && (len(e.Answers) != 4 || slices.ContainsFunc(e.Answers, func(a access.Answer) bool { return a.Verdict == "" || a.Why == "" })) {
			t.Errorf("%q: %+v", text, e)
		}
	})
}

// To connect to a socket is to write to it, and is all that its client may do there.
func TestSockets(t *testing.T) {
	p, b := loaded(t, `"/etc/motd":      {file: "hello\n"}`, `"/run/there/it.sock": socket: from: "other"`+"\n\t\t"+`"/run/made/own.sock": socket: to: ["other"]`)
	for attempt, want := range map[string]access.Verdict{
		"write /run/there/it.sock": access.Allows, "write /run/there/x": access.Refuses, "read /run/there/x": access.Allows, "execute /run/there/x": access.Refuses,
		"write /run/made/own.sock": access.Allows, "write /run/made/x": access.Allows, "execute /run/made/x": access.Refuses,
	} {
		e := explain(t, p, b, attempt)
		if a := e.Answers[0]; a.Wall != access.Mounts || a.Verdict != want || a.Pos.Line == 0 {
			t.Errorf("%s: %+v", attempt, a)
		}
		if a := e.Answers[2]; a.Wall != access.AppArmor || a.Verdict != want && want == access.Allows {
			t.Errorf("%s: %+v", attempt, a)
		}
	}
}

// Of the host's figures what no figure is cannot be read: a process, least of all.
func TestFigures(t *testing.T) {
	p, b := loaded(t, `"/etc/motd":      {file: "hello\n"}`, `"/host/proc": figures: "proc"`+"\n\t\t"+`"/host/sys": figures: "sys"`)
	for attempt, want := range map[string]access.Verdict{
		"read /host/proc/stat": access.Allows, "read /host/proc/1/environ": access.Refuses, "write /host/proc/stat": access.Refuses,
		"read /host/sys/class/net": access.Allows, "read /host/sys/firmware/dmi": access.Refuses,
	} {
		if a := explain(t, p, b, attempt).Answers[0]; a.Wall != access.Mounts || a.Verdict != want {
			t.Errorf("%s: %+v", attempt, a)
		}
	}
}
