package copytree

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestATreeComesBackAsItWas(t *testing.T) {
	from := filepath.Join(t.TempDir(), "tree")
	for name, text := range map[string]string{"a": "one", "sub/b": "two", "sub/empty": ""} {
		path := filepath.Join(from, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../a", filepath.Join(from, "sub/link")); err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	if err := Pack(&stream, from, "tree"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := Unpack(&stream, dir, "tree", "copy"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "copy/sub/link"))
	if err != nil || string(text) != "one" {
		t.Errorf("got %q, %v", text, err)
	}
	info, err := os.Stat(filepath.Join(dir, "copy/sub/b"))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("got %v, %v", info, err)
	}
}

func TestNothingLeavesTheFolder(t *testing.T) {
	reg := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644} }
	link := func(name, to string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
	}
	dir := tar.Header{Typeflag: tar.TypeDir, Name: "x", Mode: 0o755}
	for name, headers := range map[string][]tar.Header{
		"a parent":              {reg("../evil")},
		"a parent below":        {reg("x/../../evil")},
		"an absolute path":      {reg("/tmp/evil")},
		"another name":          {reg("xy")},
		"through a link":        {dir, link("x/out", "../../outside"), reg("x/out/evil")},
		"through absolute link": {dir, link("x/out", "/tmp"), reg("x/out/evil")},
		"a hard link":           {dir, {Typeflag: tar.TypeLink, Name: "x/l", Linkname: "/etc/passwd"}},
		"a device":              {{Typeflag: tar.TypeChar, Name: "x", Devmajor: 1, Devminor: 3}},
		"nothing":               {},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			for _, d := range []string{"outside", "in"} {
				if err := os.Mkdir(filepath.Join(base, d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			var stream bytes.Buffer
			w := tar.NewWriter(&stream)
			for _, h := range headers {
				if err := w.WriteHeader(&h); err != nil {
					t.Fatal(err)
				}
			}
			w.Close()
			if err := Unpack(&stream, filepath.Join(base, "in"), "x", "x"); err == nil {
				t.Error("it was unpacked")
			}
			_ = filepath.WalkDir(base, func(path string, e os.DirEntry, err error) error {
				if strings.Contains(path, "evil") {
					t.Errorf("wrote %s", path)
				}
				return err
			})
		})
	}
}

func FuzzUnpack(f *testing.F) {
	var stream bytes.Buffer
	w := tar.NewWriter(&stream)
	_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "x/../../evil", Size: 4, Mode: 0o644})
	_, _ = w.Write([]byte("data"))
	w.Close()
	f.Add(stream.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		base := t.TempDir()
		in := filepath.Join(base, "in")
		if err := os.Mkdir(in, 0o755); err != nil {
			t.Fatal(err)
		}
		_ = Unpack(bytes.NewReader(data), in, "x", "x")
		entries, err := os.ReadDir(base)
		if err != nil || len(entries) != 1 {
			t.Fatalf("%v, %v", entries, err)
		}
	})
}
