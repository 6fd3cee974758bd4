package draft

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sbx-dev/sbx/internal/draft/profile"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestDrafts drafts the profiles of testdata: each file is a host, what is asked for,
// and what comes out. Where nothing does, the error stands in the place of the edits.
func TestDrafts(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			host, parts := hostOf(t, archive)
			profile, edits := "", ""
			all, err := From(host, strings.TrimSpace(parts["from"]), "")
			for _, d := range all {
				profile += string(d.Source)
				for _, e := range d.Edits {
					edits += e + "\n"
				}
			}
			if err != nil {
				edits += "error: " + err.Error() + "\n"
			}
			if *update {
				rewrite(t, name, archive, map[string]string{"profile.cue": profile, "edits": edits})
				return
			}
			if profile != parts["profile.cue"] {
				t.Errorf("the profile is\n%s\nnot\n%s", profile, parts["profile.cue"])
			}
			if edits != parts["edits"] {
				t.Errorf("the edits are\n%s\nnot\n%s", edits, parts["edits"])
			}
		})
	}
}

func rewrite(t *testing.T, name string, archive *txtar.Archive, parts map[string]string) {
	for i, f := range archive.Files {
		if text, ok := parts[f.Name]; ok {
			archive.Files[i].Data = []byte(text)
		}
	}
	if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// hostOf is the host of an archive: the files below "host/", with the owners and modes
// that "owners" gives.
func hostOf(t *testing.T, archive *txtar.Archive) (host fstest.MapFS, parts map[string]string) {
	host, parts = fstest.MapFS{}, map[string]string{}
	for _, f := range archive.Files {
		if name, ok := strings.CutPrefix(f.Name, "host/"); ok {
			host[name] = &fstest.MapFile{Data: f.Data, Mode: 0o644, Sys: &syscall.Stat_t{}}
			continue
		}
		parts[f.Name] = string(f.Data)
	}
	who := readAccounts(host)
	for line := range strings.Lines(parts["owners"]) {
		w := strings.Fields(line)
		if len(w) < 4 {
			t.Fatalf("owners: %q", line)
		}
		file := host[w[3][1:]]
		if file == nil {
			file = &fstest.MapFile{}
			host[w[3][1:]] = file
		}
		mode, err := strconv.ParseUint(w[1], 8, 32)
		if err != nil {
			t.Fatal(err)
		}
		file.Mode = fs.FileMode(mode & 0o777)
		switch w[0] {
		case "d":
			file.Mode |= fs.ModeDir
		case "l":
			file.Mode |= fs.ModeSymlink
			file.Data = []byte(w[5])
		}
		user, group, _ := strings.Cut(w[2], ":")
		u, ok1 := who.User(user)
		g, ok2 := who.Group(group)
		if !ok1 || !ok2 {
			t.Fatalf("owners: there is no %s", w[2])
		}
		file.Sys = &syscall.Stat_t{Uid: uint32(u.UID), Gid: uint32(g)}
	}
	return host, parts
}

// TestOriginsThatAreNone says what can be drafted from where something else is named.
func TestOriginsThatAreNone(t *testing.T) {
	host := fstest.MapFS{
		"usr/lib/systemd/system/none.service":   {Data: []byte("[Service]\nType=oneshot\n")},
		"usr/lib/systemd/system/masked.service": {Mode: fs.ModeSymlink, Data: []byte("/dev/null")},
		"usr/lib/systemd/system/broken.service": {Data: []byte("[Service\nExecStart=/x\n")},
		"var/lib/dpkg/status":                   {Data: []byte("Package: tool\nStatus: install ok installed\n\nPackage: many\nStatus: install ok installed\n")},
		"var/lib/dpkg/info/tool.list":           {Data: []byte("/usr/bin/tool\n")},
		"usr/lib/systemd/system/many@.service":  {Data: []byte("[Service]\nExecStart=/usr/bin/many %i\n")},
		"usr/lib/systemd/system/many.service":   {Data: []byte("[Service]\nType=oneshot\nExecStart=/bin/true\n")},
		"var/lib/dpkg/info/many.list":           {Data: []byte("/usr/lib/systemd/system/many@.service\n")},
		"etc/init.d/old":                        {Data: []byte("#!/bin/sh\n")},
	}
	for from, want := range map[string]string{
		"nginx":                  "is nothing that a profile can be made from",
		"unit:":                  "is nothing that a profile can be made from",
		"unit:../../etc/passwd":  "is not the name of a service's unit",
		"unit:missing.service":   "there is no unit missing.service in /etc/systemd/system",
		"unit:none.service":      "has no ExecStart",
		"unit:masked.service":    "is masked",
		"unit:broken.service":    "/usr/lib/systemd/system/broken.service is not a unit",
		"unit:many@":             "many@.service is a template, of which only instances run: name one, many@NAME.service",
		"unit:many":              "runs nothing itself (/bin/true): it stands for other units; name an instance of many@.service, unit:many@NAME",
		"unit:old":               "there is no unit old.service: /etc/init.d/old starts it",
		"package:many":           "name one, unit:many@NAME",
		"package:missing":        "no package missing is installed",
		"package:tool":           "tool has no unit of a service",
		"command:":               "is nothing that a profile can be made from",
		"command:'/usr/bin/tool": "a quote is not closed",
		"pid:x":                  "is not the number of a process",
		"pid:4711":               "there is no process 4711",
	} {
		d, err := From(host, from, "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", from, d, err, want)
		}
	}
}

// TestThisProcess drafts a profile of the test itself, whose socket it finds.
func TestThisProcess(t *testing.T) {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(socket)
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(socket, 1); err != nil {
		t.Fatal(err)
	}
	address, err := syscall.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	d, err := From(os.DirFS("/"), fmt.Sprintf("pid:%d", os.Getpid()), "self")
	if err != nil {
		t.Fatal(err)
	}
	host, _ := profile.Subnet("self")
	rule := fmt.Sprintf("{in: tcp: [%d], from: %q}, // it listens there now", address.(*syscall.SockaddrInet4).Port, host)
	if len(d[0].Edits) == 0 || !strings.Contains(strings.Join(d[0].Edits, "\n"), "have it listen on 0.0.0.0") {
		t.Errorf("nobody is told of a port of loopback: %q", d[0].Edits)
	}
	program, _ := os.Executable()
	for _, want := range []string{rule, strconv.Quote(program), "package self"} {
		if !strings.Contains(string(d[0].Source), want) {
			t.Errorf("no %s in\n%s", want, d[0].Source)
		}
	}
}

// TestProcessOfAScript drafts what a script of SysV's init has started, of which systemd
// makes a unit that says nothing.
func TestProcessOfAScript(t *testing.T) {
	host := fstest.MapFS{
		"etc/passwd":        {Data: []byte("root:x:0:0:::\n")},
		"usr":               {Mode: fs.ModeDir | 0o755},
		"etc/init.d/old":    {Data: []byte("#!/bin/sh\n")},
		"proc/12/cgroup":    {Data: []byte("0::/system.slice/old.service\n")},
		"proc/12/cmdline":   {Data: []byte("/usr/sbin/old\x00-h\x00")},
		"proc/12/status":    {Data: []byte("Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n")},
		"proc/13/cgroup":    {Data: []byte("0::/system.slice/gone.service\n")},
		"proc/13/cmdline":   {Data: []byte("/usr/sbin/gone\x00")},
		"usr/sbin/old":      {Data: []byte("x")},
		"usr/sbin/gone":     {Data: []byte("x")},
		"etc/ld.so.cache":   {Data: []byte("x")},
		"etc/nsswitch.conf": {Data: []byte("x")},
	}
	for pid, want := range map[string][]string{
		"12": {`argv: ["/usr/sbin/old", "-h"]`, "/etc/init.d/old started it"},
		"13": {`argv: ["/usr/sbin/gone"]`},
	} {
		d, err := From(host, "pid:"+pid, "")
		if err != nil {
			t.Errorf("pid:%s: %v", pid, err)
			continue
		}
		for _, w := range want {
			if !strings.Contains(string(d[0].Source), w) {
				t.Errorf("pid:%s: no %s in\n%s", pid, w, d[0].Source)
			}
		}
	}
}

// FuzzUnit drafts profiles of units that anybody may have written: what comes out has
// been loaded as a profile, or is an error.
func FuzzUnit(f *testing.F) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, ".service") {
				f.Add(file.Data)
			}
		}
	}
	passwd := &fstest.MapFile{Data: []byte("root:x:0:0:::\nuser:x:1000:1000:::\n"), Mode: 0o644}
	f.Fuzz(func(t *testing.T, unit []byte) {
		host := fstest.MapFS{
			"etc/passwd":                       passwd,
			"usr":                              {Mode: fs.ModeDir | 0o755},
			"usr/lib/systemd/system/x.service": {Data: unit, Mode: 0o644},
		}
		first, err := From(host, "unit:x", "")
		if err != nil {
			return
		}
		again, err := From(host, "unit:x", "")
		if err != nil || string(first[0].Source) != string(again[0].Source) {
			t.Errorf("drafted again, it is another: %v\n%s\n%s", err, first[0].Source, again[0].Source)
		}
	})
}

// FuzzCompose drafts profiles of compose files that anybody may have written.
func FuzzCompose(f *testing.F) {
	f.Add([]byte("services: {web: {command: [x], ports: ['80:80/udp', 1], volumes: [a:b, {type: tmpfs}]}}"))
	f.Add([]byte("a: &a {<<: *a}\nservices: {web: *a}"))
	f.Add([]byte("services: {web: {environment: [A, 'B=${C:-d}'], healthcheck: {test: [CMD, x]}, depends_on: [web]}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := From(fstest.MapFS{"c.yaml": {Data: text}}, "compose:c.yaml", "")
		if err == nil && len(all) == 0 {
			t.Error("neither a profile nor an error")
		}
	})
}
