package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/alone"
)

func TestMain(m *testing.M) {
	alone.Main(m, map[string]func() error{"assemble": assembleTask})
}

// assembleTask makes the root of the manifest that it is given, after what stands in
// an initrd, and tells what has become of it.
func assembleTask() error {
	var m manifest.Manifest
	if err := json.Unmarshal([]byte(os.Args[2]), &m); err != nil {
		return err
	}
	if err := alone.MakeRoot(os.Args[1], fillInitrd); err != nil {
		return err
	}
	if err := errors.Join(BeginRoot(), Assemble(&m), Seal()); err != nil {
		fmt.Println(err)
		return nil
	}
	return tell()
}

// fillInitrd puts in a root what an initrd has, and a host's file for an inline one to
// cover.
func fillInitrd(root string) error {
	for _, dir := range []string{"/root", manifest.ModulesPath, filepath.Dir(manifest.ManifestPath)} {
		if err := os.Mkdir(root+dir, 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(root+manifest.InitPath, []byte("init"), 0o755)
}

// tell prints each file of the root, but for those of the kernel, and which folders
// take a new one.
func tell() error {
	err := filepath.WalkDir("/", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == "/proc" || path == "/sys" || path == "/dev/pts":
			return fs.SkipDir
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %v", path, info.Mode())
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " " + target
		case e.Type().IsRegular():
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %q", text)
		case e.IsDir():
			if err := os.WriteFile(filepath.Join(path, "new"), nil, 0o600); err == nil {
				line += " writable"
				os.Remove(filepath.Join(path, "new"))
			}
		}
		fmt.Println(line)
		return nil
	})
	for _, path := range []string{"/proc/sys/kernel/hostname", "/proc/sysrq-trigger"} {
		f, failed := os.OpenFile(path, os.O_WRONLY, 0)
		f.Close()
		if !errors.Is(failed, unix.EROFS) && !errors.Is(failed, fs.ErrNotExist) { // not every kernel has it
			err = errors.Join(err, fmt.Errorf("%s can be written: %v", path, failed))
		}
	}
	return err
}

func assemble(t *testing.T, m manifest.Manifest) string {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return alone.Run(t, "assemble", t.TempDir(), string(text))
}

func TestAssemble(t *testing.T) {
	got := assemble(t, manifest.Manifest{
		Root: []manifest.Node{
			{Path: "/etc", Kind: manifest.Dir},
			{Path: "/srv", Kind: manifest.Dir},
			{Path: "/srv/secret", Kind: manifest.Dir, Mode: 0o700},
			{Path: "/etc/empty", Kind: manifest.File, Mode: 0o600},
			{Path: "/bin", Kind: manifest.Link, Link: "usr/bin"},
		},
		Mounts: []manifest.Mount{
			{Kind: manifest.Tmpfs, Target: "/tmp", Size: 1 << 20, Mode: 0o1777},
			{Kind: manifest.Inline, Target: "/etc/motd", Content: "hello\n", Mode: 0o444},
			{Kind: manifest.Inline, Target: "/etc/motd", Source: "/etc/motd", Content: "first\n", Mode: 0o400},
		},
	})
	const want = `/ drwxr-xr-x
/bin Lrwxrwxrwx usr/bin
/dev drwxr-xr-x
/dev/fd Lrwxrwxrwx /proc/self/fd
/dev/full Dcrw-rw-rw-
/dev/null Dcrw-rw-rw-
/dev/ptmx Lrwxrwxrwx pts/ptmx
/dev/random Dcrw-rw-rw-
/dev/stderr Lrwxrwxrwx fd/2
/dev/stdin Lrwxrwxrwx fd/0
/dev/stdout Lrwxrwxrwx fd/1
/dev/tty Dcrw-rw-rw-
/dev/urandom Dcrw-rw-rw-
/dev/zero Dcrw-rw-rw-
/etc drwxr-xr-x
/etc/empty -rw------- ""
/etc/motd -r-------- "first\nhello\n"
/srv drwxr-xr-x
/srv/secret drwx------
/tmp dtrwxrwxrwx writable
`
	// What something was staged in stays, empty, where nobody can write.
	got = strings.Replace(got, "/.sbx drwxr-xr-x\n/.sbx/stage drwxr-xr-x\n", "", 1)
	if got != want {
		t.Errorf("the root is\n%s\nwant\n%s", got, want)
	}
}

func TestAssembleSaysWhatDoesNotFit(t *testing.T) {
	file := manifest.Node{Path: "/file", Kind: manifest.File}
	for name, c := range map[string]struct {
		m    manifest.Manifest
		want string
	}{
		"a kind of node":        {manifest.Manifest{Root: []manifest.Node{{Path: "/x", Kind: "door"}}}, `unknown kind "door"`},
		"a kind of mount":       {manifest.Manifest{Mounts: []manifest.Mount{{Kind: "tape", Target: "/x"}}}, `unknown kind "tape" on /x`},
		"a folder on a file":    {manifest.Manifest{Root: []manifest.Node{file}, Mounts: []manifest.Mount{{Kind: manifest.Tmpfs, Target: "/file"}}}, "cannot mount on /file: one of the two is a folder, and the other is a file"},
		"below a file":          {manifest.Manifest{Root: []manifest.Node{file}, Mounts: []manifest.Mount{{Kind: manifest.Tmpfs, Target: "/file/x"}}}, "not a directory"},
		"a disk that is gone":   {manifest.Manifest{Mounts: []manifest.Mount{{Kind: manifest.Image, Target: "/x", Tag: "nosuch"}}}, "no disk with the serial number nosuch"},
		"an export that is not": {manifest.Manifest{Mounts: []manifest.Mount{{Kind: manifest.Export, Target: "/x", Tag: "nosuch"}}}, "cannot mount /x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := assemble(t, c.m); !strings.Contains(got, c.want) {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

// Every module is tried, and the first that cannot be loaded is named.
func TestModulesThatCannotBeLoadedAreNamed(t *testing.T) {
	dir := t.TempDir()
	if err := loadModules(dir); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"001-a.ko", "002-b.ko"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("no module"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := loadModules(dir); err == nil || !strings.Contains(err.Error(), "cannot load the kernel module 001-a.ko") {
		t.Error(err)
	}
}
