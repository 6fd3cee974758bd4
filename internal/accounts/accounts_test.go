package accounts

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// web is a database with the user of that name.
const web = "root:x:0:0:root:/root:/bin/sh\nbroken line\nweb:x:33:33::/var/www:/bin/false\nodd:x:9999999999:1::/:/\n"

func databases(of map[string]string) Databases {
	return func(path string) (io.ReadCloser, error) {
		text, ok := of[path]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return io.NopCloser(strings.NewReader(text)), nil
	}
}

func TestUsersAreLookedUpInside(t *testing.T) {
	d := databases(map[string]string{
		passwd: web,
		group:  "root:x:0:\nweb:x:33:\nlog:x:4:web,other\nssl:x:101:web\nnone:x:102:\n",
	})
	for spec, want := range map[string]User{
		"root":      {Name: "root", Home: "/root"},
		"0":         {Name: "root", Home: "/root"},
		"web":       {UID: 33, GID: 33, Groups: []uint32{4, 101}, Name: "web", Home: "/var/www"},
		"33":        {UID: 33, GID: 33, Groups: []uint32{4, 101}, Name: "web", Home: "/var/www"},
		"web:log":   {UID: 33, GID: 4, Name: "web", Home: "/var/www"},
		"web:7":     {UID: 33, GID: 7, Name: "web", Home: "/var/www"},
		"1000":      {UID: 1000, GID: 1000, Home: "/"},
		"1000:1001": {UID: 1000, GID: 1001, Home: "/"},
	} {
		got, err := d.Lookup(spec)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) || got.Home != want.Home || got.GID != want.GID || len(got.Groups) != len(want.Groups) {
			t.Errorf("%s: got %+v, %v", spec, got, err)
		}
	}
	for spec, want := range map[string]string{
		"nobody":     `the user "nobody" is not in`,
		"odd":        `the user "odd" is not in`,
		"":           `the user "" is not in`,
		"web:nogrp":  `the group "nogrp" is not in`,
		"web:":       `the group "" is not in`,
		"4294967295": `the user "4294967295" is not in`, // (uid_t)-1
	} {
		if u, err := d.Lookup(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %+v, %v", spec, u, err)
		}
	}
}

func TestNumbersNeedNoDatabase(t *testing.T) {
	d := databases(nil)
	for spec, uid := range map[string]uint32{"root": 0, "12:34": 12} {
		if u, err := d.Lookup(spec); err != nil || u.UID != uid {
			t.Errorf("%s: got %+v, %v", spec, u, err)
		}
	}
}

// A database may be what the sandbox has made of it.
func TestDatabasesOfOthers(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	d := Databases(func(string) (io.ReadCloser, error) { return Inside(fifo) })
	if u, err := d.Lookup("web"); err == nil {
		t.Errorf("a FIFO names the user %v", u)
	}
	var endless strings.Builder
	for i := range maxGroups + 100 {
		fmt.Fprintf(&endless, "g:x:%d:web\n", 100+i)
	}
	d = databases(map[string]string{passwd: web, group: endless.String()})
	if u, err := d.Lookup("web"); err != nil || len(u.Groups) != maxGroups {
		t.Errorf("%d groups, %v", len(u.Groups), err)
	}
}

// FuzzLookup looks a user up in any databases at all.
func FuzzLookup(f *testing.F) {
	f.Add("web", "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/var/www:/bin/false\n", "web:x:33:\nlog:x:4:web,other\n")
	f.Add("web:log", "web:x:4294967295:33::/var/www:/bin/false\n", "log:x:-1:\n")
	f.Add("0:7", "", "::::::")
	f.Fuzz(func(t *testing.T, spec, ofPasswd, ofGroup string) {
		u, err := databases(map[string]string{passwd: ofPasswd, group: ofGroup}).Lookup(spec)
		if none := uint32(1<<32 - 1); err == nil && (u.UID == none || u.GID == none || len(u.Groups) > maxGroups) {
			t.Errorf("%q is %+v", spec, u)
		}
	})
}
