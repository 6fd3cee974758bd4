package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// firstVerb is a call of a verb on a host where sbx has never run.
type firstVerb struct {
	args  string // as a shell reads them
	root  string // what it says to root, as an expression; "" where it works
	plain string // and to a user who is not root
}

const (
	asRoot  = `sandboxes of lxc:///system are root's, and you are user 4711: run sbx as root`
	nothing = `^sbx: error\[SBX0515\]: there is no sandbox first: sbx ps lists what there is\n$`
)

// firstVerbs are all that sbx has. What is said is said in full: no other
// program's word of what is not permitted, and what to do.
var firstVerbs = []firstVerb{
	{"vet first.cue", "", ""},
	{"compile first.cue", "", ""},
	{"run -- true", "", `a container \(backend lxc\) needs root and libvirtd: run sbx as root; a machine \(--backend kvm\) needs neither`},
	{"exec first -- true", nothing, asRoot},
	{"cp first:/file .", nothing, asRoot},
	{"view first", nothing, asRoot},
	{"logs first", nothing, asRoot},
	{"attach first", nothing, asRoot},
	{"wait first", nothing, asRoot},
	{"up first.cue", "", asRoot},
	{"down first", "", asRoot},
	{"plan first.cue", "", asRoot},
	{"apply first.cue", "", asRoot},
	{"drift", "", asRoot},
	{"stop first", nothing, asRoot},
	{"kill first", nothing, asRoot},
	{"reload first", nothing, asRoot},
	{"restart first", nothing, asRoot},
	{"ps", "", ""},
	{"inspect first", nothing, asRoot},
	{"denied first", nothing, asRoot},
	{"doctor -b lxc", "", asRoot},
	{"cache list", "", ""},
	{"cache clear", "", ""},
	{`explain first.cue "in tcp 192.0.2.1 -> :80"`, "has no network: nothing can reach it", "has no network: nothing can reach it"},
	{"review first.cue second.cue", "", ""},
	{"test first.cue", "", ""},
	{"learn first.cue --for 1s", "", `a container \(backend lxc\) needs root and libvirtd: run sbx as root`},
	{"export first.cue", "", ""},
	{"fmt first.cue", "", ""},
	{"schema", "", ""},
	{"init project", "", ""},
	{"completion bash", "", ""},
	{"man", "", ""},
	{"help codes", "", ""},
	{"version", "", ""},
}

const profileOfFirst = `package first

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "first"
	backend: "lxc"
	run: argv: ["/bin/sleep", "1000"]
	expose: ["/usr"]
	tests: {}
}
`

// TestFirst tries every verb as the first one that a host sees, by root and by
// another user, under several umasks. It works or says what to do, and what it
// leaves in the state folder has the modes of that folder's table.
func TestFirst(t *testing.T) {
	testhost.Need(t)
	if err := install(); err != nil {
		t.Fatal(err)
	}
	everyVerb(t)
	keepState(t)
	for _, umask := range []string{"022", "027", "077"} {
		for _, v := range firstVerbs {
			t.Run(umask+" root "+v.args, func(t *testing.T) { v.first(t, umask, 0) })
			t.Run(umask+" plain "+v.args, func(t *testing.T) { v.first(t, umask, plainID) })
		}
	}
	// A user whom libvirtd does not even let connect is told the same.
	if err := os.Chmod(testhost.Socket, 0o700); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(testhost.Socket, 0o777)
	for _, v := range firstVerbs {
		t.Run("no libvirtd "+v.args, func(t *testing.T) { v.first(t, "022", plainID) })
	}
}

// everyVerb fails where a verb of sbx is not tried.
func everyVerb(t *testing.T) {
	t.Helper()
	parser, err := newParser(new(cli), nil, nil, new(int))
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range verbs(parser.Model) {
		tried := func(v firstVerb) bool { return strings.Fields(v.args)[0] == verb.Name }
		if !slices.ContainsFunc(firstVerbs, tried) {
			t.Errorf("sbx %s is not tried as the first verb", verb.Name)
		}
	}
}

// keepState puts root's state folder aside for the rest of the test.
func keepState(t *testing.T) {
	t.Helper()
	const aside = state.Default + ".aside"
	if err := os.Rename(state.Default, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		os.RemoveAll(state.Default)
		if err := os.Rename(aside, state.Default); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
}

// first runs the verb, by the user and under the umask, on a host without a trace
// of sbx.
func (v firstVerb) first(t *testing.T, umask string, uid int) {
	folder, want := state.Folder(state.Default), v.root
	if uid != 0 {
		folder, want = state.Folder(filepath.Join(home, ".local/state/sbx")), v.plain
	}
	work := filepath.Join(home, "work")
	for _, trace := range []string{state.Default, filepath.Join(home, ".local"), work} {
		if err := os.RemoveAll(trace); err != nil {
			t.Fatal(err)
		}
	}
	fillWork(t, work, uid)
	got := outcome(t, firstCommand(work, umask, uid, v.args), nil)
	said := regexp.MustCompile(want)
	if works := got.code == 0; works != (want == "") || !works && !said.MatchString(got.stderr+got.stdout) {
		t.Errorf("code %d, stderr %q, want %q", got.code, got.stderr, want)
	}
	holdToTable(t, folder, uid)
	if uid == 0 && (v.args == "up first.cue" || v.args == "apply first.cue") {
		if got := outcome(t, firstCommand(work, umask, 0, "down first"), nil); got.code != 0 {
			t.Errorf("down: %+v", got)
		}
	}
}

// fillWork makes the user's folder with profiles.
func fillWork(t *testing.T, work string, uid int) {
	t.Helper()
	err := errors.Join(os.Mkdir(work, 0o755), os.Chown(work, uid, uid))
	for _, name := range []string{"first.cue", "second.cue"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(work, name), []byte(profileOfFirst), 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// firstCommand is a call of the installed sbx.
func firstCommand(work, umask string, uid int, args string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", "umask "+umask+" && exec "+installation+"/sbx "+args)
	cmd.Dir, cmd.Env = work, []string{"PATH=/usr/bin:/bin", "HOME=" + home}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	return cmd
}

// holdToTable holds all that is in the state folder to package state's table.
func holdToTable(t *testing.T, folder state.Folder, uid int) {
	t.Helper()
	err := filepath.WalkDir(string(folder), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(strings.TrimPrefix(path, string(folder)), "/")
		entry, ok := state.Find(name)
		info, err := d.Info()
		if err != nil || !ok {
			return errors.Join(err, unknown(ok, path))
		}
		if owner := int(info.Sys().(*syscall.Stat_t).Uid); entry.Owner == state.Sbx && owner != uid {
			t.Errorf("%s belongs to %d", path, owner)
		}
		if mode := info.Mode(); entry.Mode.Perm() != 0 && mode != entry.Mode {
			t.Errorf("%s has the mode %v, and by the table %v", path, mode, entry.Mode)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func unknown(known bool, path string) error {
	if known {
		return nil
	}
	return fmt.Errorf("%s is in no table: docs/state.md and package state say what the state folder holds", path)
}

// A state folder that somebody has made wrongly is mended by the next sbx, or
// named with what to do.
func TestWrongStateFolder(t *testing.T) {
	testhost.Need(t)
	if err := install(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		wrong  func() error
		doctor string // what it says before
		run    string // and sbx run
	}{
		{"as sbx once made it", func() error { return os.Mkdir(state.Default, 0o700) }, "warn  lxc  state folder .* has the mode 0700, not 0711", ""},
		{"a link", func() error { return os.Symlink("/srv", state.Default) }, "fail  lxc  state folder .* is a link", "is a link, which sbx does not follow"},
		{"another user's", func() error {
			return errors.Join(os.Mkdir(state.Default, 0o755), os.Chown(state.Default, plainID, plainID))
		}, `fail  lxc  state folder .* belongs to user 4711 \(plain\)`, "chown -R root:root /var/lib/sbx"},
		{"not to be run from", func() error {
			return errors.Join(os.Mkdir(state.Default, 0o711), unix.Mount("none", state.Default, "tmpfs", unix.MS_NOEXEC, "mode=711"))
		}, "fail  lxc  state folder .* noexec", "mount -o remount,exec"},
		{"below a folder that none may pass", func() error { return os.Chmod("/var/lib", 0o750) }, "fail  lxc  state folder .* cannot reach", `chmod o\+x /var/lib`},
	} {
		t.Run(c.name, func(t *testing.T) {
			keepState(t)
			defer func() {
				unix.Unmount(state.Default, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
				os.Chmod("/var/lib", 0o755)
			}()
			if err := c.wrong(); err != nil {
				t.Fatal(err)
			}
			if got := outcome(t, firstCommand("/", "022", 0, "doctor -b lxc"), nil); !regexp.MustCompile(c.doctor).MatchString(got.stdout) {
				t.Errorf("doctor: %+v, want %q", got, c.doctor)
			}
			got := outcome(t, firstCommand("/", "022", 0, "run -- true"), nil)
			if (got.code == 0) != (c.run == "") || !regexp.MustCompile(c.run).MatchString(got.stderr) {
				t.Errorf("run: %+v, want %q", got, c.run)
			}
		})
	}
}
