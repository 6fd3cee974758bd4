package privilege

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func databases(t *testing.T) Databases {
	t.Helper()
	dir := t.TempDir()
	d := Databases{filepath.Join(dir, "passwd"), filepath.Join(dir, "group")}
	for path, text := range map[string]string{
		d.Passwd: "root:x:0:0:root:/root:/bin/sh\nbroken line\nweb:x:33:33::/var/www:/bin/false\nodd:x:9999999999:1::/:/\n",
		d.Group:  "root:x:0:\nweb:x:33:\nlog:x:4:web,other\nssl:x:101:web\nnone:x:102:\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func TestUsersAreLookedUpInside(t *testing.T) {
	d := databases(t)
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
	d := Databases{"/does/not/exist", "/nor/this"}
	for spec, uid := range map[string]uint32{"root": 0, "12:34": 12} {
		if u, err := d.Lookup(spec); err != nil || u.UID != uid {
			t.Errorf("%s: got %+v, %v", spec, u, err)
		}
	}
}

func TestCapabilitiesHaveTheirKernelNumbers(t *testing.T) {
	set, err := ParseSet([]string{"chown", "net_bind_service", "sys_admin", "checkpoint_restore"})
	if err != nil || fmt.Sprint(set) != "[0 10 21 40]" { // linux/capability.h
		t.Errorf("got %v, %v", set, err)
	}
	if _, err := ParseSet([]string{"cap_chown"}); err == nil {
		t.Error("an unknown name was taken")
	}
}

// A database may be what the sandbox has made of it.
func TestDatabasesOfOthers(t *testing.T) {
	dir := t.TempDir()
	fifo, endless := filepath.Join(dir, "fifo"), filepath.Join(dir, "endless")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if u, err := (Databases{fifo, fifo}).Lookup("web"); err == nil {
		t.Errorf("a FIFO names the user %v", u)
	}
	f, err := os.Create(endless)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range maxGroups + 100 {
		fmt.Fprintf(f, "g:x:%d:web\n", 100+i)
	}
	passwd := databases(t).Passwd
	if u, err := (Databases{passwd, endless}).Lookup("web"); err != nil || len(u.Groups) != maxGroups {
		t.Errorf("%d groups, %v", len(u.Groups), err)
	}
}

// FuzzLookup looks a user up in any databases at all.
func FuzzLookup(f *testing.F) {
	f.Add("web", "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/var/www:/bin/false\n", "web:x:33:\nlog:x:4:web,other\n")
	f.Add("web:log", "web:x:4294967295:33::/var/www:/bin/false\n", "log:x:-1:\n")
	f.Add("0:7", "", "::::::")
	dir := f.TempDir()
	d := Databases{filepath.Join(dir, "passwd"), filepath.Join(dir, "group")}
	f.Fuzz(func(t *testing.T, spec, passwd, group string) {
		for path, text := range map[string]string{d.Passwd: passwd, d.Group: group} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		u, err := d.Lookup(spec)
		if none := uint32(1<<32 - 1); err == nil && (u.UID == none || u.GID == none || len(u.Groups) > maxGroups) {
			t.Errorf("%q is %+v", spec, u)
		}
	})
}
