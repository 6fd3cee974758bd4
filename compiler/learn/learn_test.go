package learn_test

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/learn"
	"github.com/sbx-dev/sbx/internal/observed"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// profile is what the cases begin with.
const profile = `package web

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "web"
	backend: "lxc"
	run: argv: ["/usr/bin/web"]
	expose: ["/usr", "/etc/web"]
	mounts: "/run/web": {tmpfs: "1MiB"}
	network: {
		attach:  "net"
		address: "10.0.0.2/24"
		allow: [
			{in: tcp: [80, 443]},
			{out: udp: [53], to: "10.0.0.1"},
		]
	}
	capabilities: ["net_bind_service", "setuid", "dac_override"]
}
`

// host is what the host has beside what is exposed.
var host = fstest.MapFS{
	"usr/bin/web":              {},
	"usr/bin/awk":              {Data: []byte("/etc/alternatives/awk"), Mode: os.ModeSymlink | 0o777},
	"etc/alternatives/awk":     {Data: []byte("../../usr/bin/mawk"), Mode: os.ModeSymlink | 0o777},
	"usr/bin/mawk":             {},
	"etc/web/web.conf":         {},
	"etc/web/far.conf":         {Data: []byte("../elsewhere/far.conf"), Mode: os.ModeSymlink | 0o777},
	"etc/elsewhere/far.conf":   {},
	"etc/mime.types":           {},
	"etc/localtime":            {},
	"etc/other/a.conf":         {},
	"etc/other/b.conf":         {},
	"home/ann/.webrc":          {},
	"srv/data/file":            {},
	"run/dbus/bus":             {Mode: os.ModeSocket | 0o666},
	"run/docker.sock":          {Mode: os.ModeSocket | 0o660},
	"run/libvirt/libvirt-sock": {Mode: os.ModeSocket | 0o660},
	"var/lib/web/db":           {},
}

func ask(path, failed string) observed.Path {
	return observed.Path{Program: "web", Call: "openat", Path: path, Error: failed}
}

func write(path, failed string) observed.Path {
	p := ask(path, failed)
	p.Write = true
	return p
}

func listens(proto, at string) observed.Socket {
	return observed.Socket{Program: "web", Call: "listen", Listens: true, Proto: proto, Addr: netip.MustParseAddrPort(at)}
}

func sends(proto, to string) observed.Socket {
	return observed.Socket{Program: "web", Call: "connect", Proto: proto, Addr: netip.MustParseAddrPort(to)}
}

func comes(to string, passed bool) observed.Packet {
	return observed.Packet{Proto: "tcp", From: netip.MustParseAddr("10.0.0.9"), To: netip.MustParseAddrPort(to), Passed: passed}
}

// all is a record in which everything that is open was used.
func all(more observed.Record) observed.Record {
	return observed.Record{
		Paths:   append([]observed.Path{ask("/usr/bin/web", ""), ask("/etc/web/web.conf", ""), write("/run/web/pid", "")}, more.Paths...),
		Sockets: append([]observed.Socket{listens("tcp", "0.0.0.0:80"), listens("tcp", "0.0.0.0:443"), sends("udp", "10.0.0.1:53")}, more.Sockets...),
		Calls:   append([]observed.Call{{Program: "web", Name: "bind", Port: 80}, {Program: "web", Name: "setuid"}}, more.Calls...),
		Packets: more.Packets,
	}
}

func from(t *testing.T, record observed.Record) learn.Result {
	t.Helper()
	return learn.From(caseOf(t, record))
}

// caseOf is a case of the profile and the host.
func caseOf(t *testing.T, record observed.Record) learn.Case {
	t.Helper()
	p := loaded(t, profile)
	policies, err := compiler.Policies(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return learn.Case{Profile: p, Policies: policies, Record: record, Host: host, Architecture: "amd64"}
}

func loaded(t *testing.T, text string) *schema.Profile {
	t.Helper()
	profiles, err := (&load.Config{FS: fstest.MapFS{"web.cue": {Data: []byte(text)}}}).Load("web.cue")
	if err != nil {
		t.Fatal(err)
	}
	return profiles[0]
}

// told is a result in short: what is to be opened, what can be closed, and what is noted.
func told(r learn.Result) string {
	var b strings.Builder
	for _, p := range r.Open {
		fmt.Fprintf(&b, "+ %s %s\n", p.Path, p.Value)
	}
	for _, p := range r.Close {
		fmt.Fprintf(&b, "- %s\n", p.Path)
	}
	for _, n := range r.Notes {
		if n.What != "capability dac_override" {
			fmt.Fprintf(&b, "? %s\n", n.What)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestWhatIsLearned(t *testing.T) {
	mount := observed.Call{Program: "web", Name: "mount", Error: "EPERM"}
	for name, c := range map[string]struct {
		record observed.Record
		want   string
	}{
		"all that is open was used, and nothing else": {all(observed.Record{}), ""},

		"a file that the host has":              {all(observed.Record{Paths: []observed.Path{ask("/etc/mime.types", "ENOENT")}}), `+ expose "/etc/mime.types"`},
		"one that it has not":                   {all(observed.Record{Paths: []observed.Path{ask("/etc/absent", "ENOENT")}}), ""},
		"what every program looks for":          {all(observed.Record{Paths: []observed.Path{ask("/etc/localtime", "ENOENT")}}), "? /etc/localtime"},
		"a program's folder":                    {all(observed.Record{Paths: []observed.Path{ask("/etc/other/a.conf", "ENOENT"), ask("/etc/other/b.conf", "ENOENT")}}), `+ expose "/etc/other"`},
		"a file of somebody's home":             {all(observed.Record{Paths: []observed.Path{ask("/home/ann/.webrc", "ENOENT")}}), `+ expose "/home/ann/.webrc"`},
		"where a link leads":                    {all(observed.Record{Paths: []observed.Path{ask("/etc/web/far.conf", "ENOENT")}}), `+ expose "/etc/elsewhere"`},
		"a link between two":                    {all(observed.Record{Paths: []observed.Path{ask("/usr/bin/awk", "ENOENT")}}), `+ expose "/etc/alternatives/awk"`},
		"a name of no letters":                  {all(observed.Record{Paths: []observed.Path{ask("/etc/\x1b[2J", "ENOENT"), ask("/etc/\xff", "EACCES")}}), ""},
		"a socket":                              {all(observed.Record{Paths: []observed.Path{ask("/run/dbus/bus", "ENOENT")}}), "? /run/dbus/bus"},
		"a socket that it wanted to speak with": {all(observed.Record{Paths: []observed.Path{{Program: "web", Call: "connect", Path: "/run/dbus/bus", Error: "ENOENT"}}}), `+ mounts "/run/dbus/bus": {host: "/run/dbus/bus", sockets: true}`},
		"a socket of libvirt's":                 {all(observed.Record{Paths: []observed.Path{{Program: "web", Call: "connect", Path: "/run/libvirt/libvirt-sock", Error: "ENOENT"}}}), "? /run/libvirt/libvirt-sock"},
		"a socket that it wanted to make":       {all(observed.Record{Paths: []observed.Path{{Program: "web", Call: "bind", Path: "/run/other/socket", Write: true, Error: "ENOENT"}}}), `+ mounts "/run/other": {tmpfs: "16MiB"}`},
		"the kernel's own files":                {all(observed.Record{Paths: []observed.Path{ask("/proc/kcore", "EACCES"), ask("/sys/x", "ENOENT")}}), ""},
		"an owner's no":                         {all(observed.Record{Paths: []observed.Path{ask("/etc/web/web.conf", "EACCES")}}), "? /etc/web/web.conf"},
		"a folder to write":                     {all(observed.Record{Paths: []observed.Path{write("/srv/data/new", "ENOENT")}}), `+ mounts "/srv/data": {host: "/srv/data", writable: true}`},
		"one that passes":                       {all(observed.Record{Paths: []observed.Path{write("/var/run/other/pid", "ENOENT")}}), `+ mounts "/run/other": {tmpfs: "16MiB"}`},
		"read-only and written":                 {all(observed.Record{Paths: []observed.Path{write("/etc/web/state", "EROFS")}}), `+ mounts "/etc/web": {host: "/etc/web", writable: true}`},
		"opened to write, then to read":         {all(observed.Record{Paths: []observed.Path{write("/etc/web/web.conf", "EROFS")}}), "? /etc/web/web.conf"},
		"an old file is to go":                  {all(observed.Record{Paths: []observed.Path{{Program: "web", Call: "unlink", Path: "/var/lib/web/old", Write: true, Error: "ENOENT"}}}), ""},

		"a port that was tried":        {all(observed.Record{Sockets: []observed.Socket{listens("tcp", "10.0.0.2:81")}, Packets: []observed.Packet{comes("10.0.0.2:81", false)}}), "+ network.allow {in: tcp: [81]}"},
		"one that nobody tried":        {all(observed.Record{Sockets: []observed.Socket{listens("tcp", "[::]:81")}}), "? tcp 81"},
		"one that nothing listens at":  {all(observed.Record{Packets: []observed.Packet{comes("10.0.0.2:22", false)}}), "? tcp 22"},
		"one of the sandbox's own":     {all(observed.Record{Sockets: []observed.Socket{listens("tcp", "127.0.0.1:81")}, Packets: []observed.Packet{comes("10.0.0.2:81", false)}}), "? tcp 81"},
		"one that is open":             {all(observed.Record{Packets: []observed.Packet{comes("10.0.0.2:80", true)}}), ""},
		"who was sent to":              {all(observed.Record{Sockets: []observed.Socket{sends("tcp", "10.0.0.7:5432")}}), `+ network.allow {out: tcp: [5432], to: "10.0.0.7"}`},
		"who was sent to all the same": {all(observed.Record{Sockets: []observed.Socket{sends("tcp", "224.0.0.1:5432")}}), ""},
		"a capability":                 {all(observed.Record{Calls: []observed.Call{{Program: "web", Name: "setgroups", Error: "EPERM"}}}), `+ capabilities "setgid"`},
		"a high port takes none":       {all(observed.Record{Calls: []observed.Call{{Program: "web", Name: "bind", Port: 8080, Error: "EACCES"}}}), ""},
		"a call that is closed":        {all(observed.Record{Calls: []observed.Call{mount}}), `+ syscalls.allow "mounts"`},
		"the clock":                    {all(observed.Record{Calls: []observed.Call{{Program: "web", Name: "adjtimex", Error: "EPERM"}}}), `+ capabilities "sys_time"`},
		"one that programs do without": {all(observed.Record{Calls: []observed.Call{{Program: "web", Name: "clone3", Error: "ENOSYS"}}}), "? clone3"},
		"one that is open and says no": {all(observed.Record{Calls: []observed.Call{{Program: "web", Name: "ioctl", Error: "EPERM"}}}), ""},
		"a limit that stays as it is":  {all(observed.Record{Calls: []observed.Call{{Program: "web", Name: "prlimit64", Error: "EPERM"}}}), "? prlimit64"},
		"another user's process":       {all(observed.Record{Calls: []observed.Call{{Program: "web", Name: "kill", Error: "EPERM"}}}), "? kill"},
		"nothing was used":             {observed.Record{}, "- expose[0]\n- mounts.\"/run/web\"\n- expose[1]\n- network.allow[0]\n- network.allow[1]\n- capabilities[0]\n- capabilities[1]"},
		"one port was not":             {observed.Record{Paths: all(observed.Record{}).Paths, Sockets: []observed.Socket{listens("tcp", "[::]:80"), sends("udp", "10.0.0.1:53")}, Calls: all(observed.Record{}).Calls}, "- network.allow[0].in.tcp[1]"},
		"more than a record holds":     {observed.Record{Paths: all(observed.Record{}).Paths, Sockets: all(observed.Record{}).Sockets, Calls: all(observed.Record{}).Calls, Lost: 7}, "? more happened than was kept"},
		"used by the name of a link":   {all(observed.Record{Paths: []observed.Path{ask("/bin/web", "")}}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := told(from(t, c.record)); got != c.want {
				t.Errorf("learned\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// What a command did not use that failed says nothing of what it would have used, and
// that nobody came to it nothing of who would have.
func TestAFailure(t *testing.T) {
	c := caseOf(t, observed.Record{Sockets: []observed.Socket{listens("tcp", "[::]:81")}})
	c.Failed = true
	if got, want := told(learn.From(c)), "+ network.allow {in: tcp: [81]}\n? it failed"; got != want {
		t.Errorf("learned\n%s\nwant\n%s", got, want)
	}
}

// A reason names the program and what it asked for; of many, the first stand
// there with how many there are.
func TestReasons(t *testing.T) {
	var paths []observed.Path
	for _, name := range []string{"a.conf", "b.conf"} {
		for _, program := range []string{"one", "two", "three"} {
			p := ask("/etc/other/"+name, "ENOENT")
			p.Program = program
			paths = append(paths, p)
		}
	}
	open := from(t, all(observed.Record{Paths: paths})).Open
	want := "one asked for /etc/other/a.conf, which does not exist inside and the host has; two asked"
	if len(open) != 1 || !strings.HasPrefix(open[0].Reason, want) || !strings.HasSuffix(open[0].Reason, "; and 3 more") {
		t.Errorf("%+v", open)
	}
}

// A word that opens system calls goes where no call was made that it opens.
func TestUnusedSyscalls(t *testing.T) {
	mount := observed.Call{Program: "web", Name: "mount"}
	clone := observed.Call{Program: "web", Name: "clone", Args: [6]uint64{0x10000000}} // CLONE_NEWUSER
	for name, c := range map[string]struct {
		says  string
		calls []observed.Call
		want  string
	}{
		"both used":            {`allow: ["mounts", "userfaultfd"]`, []observed.Call{mount, {Program: "web", Name: "userfaultfd", Error: "EINVAL"}}, ""},
		"one used":             {`allow: ["io_uring", "mounts"]`, []observed.Call{mount}, "- syscalls.allow[0]"},
		"none used":            {`allow: ["io_uring", "mounts"]`, nil, "- syscalls.allow[0]\n- syscalls.allow[1]"},
		"by its arguments":     {`allow: ["namespaces"]`, []observed.Call{clone}, ""},
		"for sandboxes":        {`nested: true`, []observed.Call{clone, mount}, ""},
		"for none":             {`nested: true`, nil, "- syscalls.nested"},
		"refused all the same": {`allow: ["io_uring"]`, []observed.Call{{Program: "web", Name: "mount", Error: "EPERM"}}, "+ syscalls.allow \"mounts\"\n- syscalls.allow[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			used := caseOf(t, all(observed.Record{Calls: c.calls}))
			used.Profile = loaded(t, strings.Replace(profile, "\tcapabilities:", "\tsyscalls: {"+c.says+"}\n\tcapabilities:", 1))
			if got := told(learn.From(used)); got != c.want {
				t.Errorf("learned\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// Of a socket at which somebody listens who is as good as root, the reason says so.
func TestSocketsOfRoot(t *testing.T) {
	open := from(t, all(observed.Record{Paths: []observed.Path{{Program: "web", Call: "connect", Path: "/var/run/docker.sock", Error: "ENOENT"}}})).Open
	want := "web wanted to speak with who listens there on the host: dockerd listens at /run/docker.sock, and who may speak with it is as good as root on the host (connect)"
	if len(open) != 1 || open[0].Reason != want {
		t.Errorf("opened %+v, want the reason %q", open, want)
	}
}
