package copytree

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// unpackTo unpacks what is called x into dir.
func unpackTo(dir string) Unpacking {
	return Unpacking{Dir: dir, From: "x", To: "copy", Limits: Limits{Bytes: 1 << 20, Entries: 50}}
}

func TestATreeComesBackAsItWas(t *testing.T) {
	from := filepath.Join(t.TempDir(), "tree")
	for name, text := range map[string]string{"a": "one", "sub/b": "two", "sub/empty": "", "shut/c": "three", "not UTF-8 \xff": "four"} {
		path := filepath.Join(from, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	shut := filepath.Join(from, "shut")
	if err := os.Chmod(shut, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(shut, 0o755) })
	if err := os.Symlink("../a", filepath.Join(from, "sub/link")); err != nil {
		t.Fatal(err)
	}
	if err := Check(from); err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	if err := Pack(&stream, from, "x"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if skipped, err := unpackTo(dir).Unpack(&stream); len(skipped) != 0 || err != nil {
		t.Fatal(skipped, err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "copy/shut"), 0o755) })
	if a, b := list(t, from), list(t, filepath.Join(dir, "copy")); !slices.Equal(a, b) {
		t.Errorf("packed\n%s\nunpacked\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	text, err := os.ReadFile(filepath.Join(dir, "copy/sub/link"))
	if err != nil || string(text) != "one" {
		t.Errorf("through the link: %q, %v", text, err)
	}
}

// list says what lies in a folder: names, modes, contents and links.
func list(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(at string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		text := ""
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(at)
			if err != nil {
				return err
			}
			text = string(data)
		case info.Mode()&fs.ModeSymlink != 0:
			if text, err = os.Readlink(at); err != nil {
				return err
			}
		}
		all = append(all, strings.TrimPrefix(at, dir)+" "+info.Mode().String()+" "+text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func file(name string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}
}

func folder(name string) tar.Header {
	return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}
}

func link(name, to string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
}

func hardLink(name, to string) tar.Header {
	return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: to}
}

func archive(t testing.TB, headers ...tar.Header) *bytes.Buffer {
	t.Helper()
	var stream bytes.Buffer
	w := tar.NewWriter(&stream)
	for _, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(w, zeroes{}, h.Size); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &stream
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestAHostileStreamLeavesNothing: whatever is refused leaves the folder, and what
// is beside it, as they were.
func TestAHostileStreamLeavesNothing(t *testing.T) {
	many := []tar.Header{folder("x")}
	for i := range 60 {
		many = append(many, file("x/"+strings.Repeat("f", i+1)))
	}
	large := file("x")
	large.Size = 1<<20 + 1
	halves := []tar.Header{folder("x"), file("x/a"), file("x/b")}
	halves[1].Size, halves[2].Size = 600<<10, 600<<10
	for name, headers := range map[string][]tar.Header{
		"a parent":                    {file("../evil")},
		"a parent below":              {file("x/../../evil")},
		"a parent at the end":         {folder("x"), folder("x/..")},
		"an absolute path":            {file("/tmp/evil")},
		"another name":                {file("xy")},
		"a dot":                       {folder("x"), file("x/./evil")},
		"no folder":                   {file("x/y/evil")},
		"a file as a folder":          {file("x"), file("x/evil")},
		"twice":                       {file("x"), file("x")},
		"a folder twice":              {folder("x"), folder("x/")},
		"the copy is a link":          {link("x", "."), folder("x/.ssh"), file("x/.ssh/authorized_keys"), file("x/.bashrc"), file("x")},
		"the copy is a link alone":    {link("x", ".")},
		"through a link":              {folder("x"), link("x/out", "../../outside"), file("x/out/evil")},
		"through a link inside":       {folder("x"), folder("x/d"), link("x/out", "d"), file("x/out/evil")},
		"through absolute link":       {folder("x"), link("x/out", "/tmp"), file("x/out/evil")},
		"an absolute link":            {folder("x"), link("x/passwd", "/etc/passwd")},
		"a link up":                   {folder("x"), link("x/up", "../outside")},
		"a link to the copy's folder": {folder("x"), link("x/up", "..")},
		"a link up by a link":         {folder("x"), folder("x/a"), folder("x/a/b"), link("x/a/b/up", "../.."), link("x/m", "a/b/up/../../outside")},
		"a hard link":                 {folder("x"), hardLink("x/l", "/etc/passwd")},
		"a hard link to a parent":     {folder("x"), hardLink("x/l", "x/../../outside/secret")},
		"a hard link to a link":       {folder("x"), link("x/a", "b"), hardLink("x/l", "x/a")},
		"a device":                    {{Typeflag: tar.TypeChar, Name: "x", Devmajor: 1, Devminor: 3}},
		"a FIFO":                      {folder("x"), {Typeflag: tar.TypeFifo, Name: "x/fifo"}},
		"nothing":                     {},
		"too many":                    many,
		"too large":                   {large},
		"too large together":          halves,
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			dir := filepath.Join(base, "in")
			for _, d := range []string{"outside", "in"} {
				if err := os.Mkdir(filepath.Join(base, d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(base, "outside/secret"), []byte("secret"), 0o600); err != nil {
				t.Fatal(err)
			}
			before := list(t, base)
			if _, err := unpackTo(dir).Unpack(archive(t, headers...)); err == nil {
				t.Error("it was unpacked")
			}
			if after := list(t, base); !slices.Equal(before, after) {
				t.Errorf("before\n%s\nafter\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
			}
		})
	}
}

func TestAStreamThatGoesOnIsRefused(t *testing.T) {
	dir := t.TempDir()
	endless := io.MultiReader(archive(t, file("x")), zeroes{})
	if _, err := unpackTo(dir).Unpack(endless); err == nil || !strings.Contains(err.Error(), "goes on") {
		t.Error(err)
	}
	if left := list(t, dir); len(left) != 1 {
		t.Error(left)
	}
}

func TestLinksThatLeadOutAreLeftOutOnRequest(t *testing.T) {
	u := unpackTo(t.TempDir())
	u.SkipLinks = true
	skipped, err := u.Unpack(archive(t, folder("x"), file("x/a"), link("x/in", "a"), link("x/out", "/etc/passwd")))
	if err != nil || !slices.Equal(skipped, []string{"x/out"}) {
		t.Fatal(skipped, err)
	}
	names, _ := filepath.Glob(filepath.Join(u.Dir, "copy/*"))
	if len(names) != 2 {
		t.Error(names)
	}
}

func TestFilesWithTwoNamesStayOne(t *testing.T) {
	u := unpackTo(t.TempDir())
	if _, err := u.Unpack(archive(t, folder("x"), file("x/a"), hardLink("x/b", "x/a"))); err != nil {
		t.Fatal(err)
	}
	a, _ := os.Stat(filepath.Join(u.Dir, "copy/a"))
	b, _ := os.Stat(filepath.Join(u.Dir, "copy/b"))
	if !os.SameFile(a, b) {
		t.Error("two files")
	}
}

func TestWhatIsThereIsReplacedOnlyWhereThatIsMeant(t *testing.T) {
	for name, c := range map[string]struct {
		there, copy tar.Header
		replace, ok bool
	}{
		"a file by a file":                 {file("x"), file("x"), false, true},
		"a folder by a file":               {folder("x"), file("x"), false, false},
		"a file by a folder":               {file("x"), folder("x"), false, false},
		"a folder by a folder":             {folder("x"), folder("x"), false, false},
		"a folder by a file, meant":        {folder("x"), file("x"), true, true},
		"a file by a folder, meant":        {file("x"), folder("x"), true, true},
		"a link by a file, not through it": {link("x", "a"), file("x"), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			u := unpackTo(t.TempDir())
			at := filepath.Join(u.Dir, u.To)
			switch c.there.Typeflag {
			case tar.TypeDir:
				_ = os.MkdirAll(filepath.Join(at, "old"), 0o755)
			case tar.TypeSymlink:
				_ = os.Symlink("target", at)
			default:
				_ = os.WriteFile(at, []byte("old"), 0o600)
			}
			u.Replace = c.replace
			before := list(t, u.Dir)
			_, err := u.Unpack(archive(t, c.copy))
			after := list(t, u.Dir)
			if c.ok != (err == nil) || c.ok == slices.Equal(before, after) || len(after) > len(before) {
				t.Errorf("%v\nbefore\n%s\nafter\n%s", err, strings.Join(before, "\n"), strings.Join(after, "\n"))
			}
		})
	}
}

func TestSparseFilesStaySparse(t *testing.T) {
	u := unpackTo(t.TempDir())
	u.Limits.Bytes = 64 << 20
	large := file("x")
	large.Size = 64 << 20
	if _, err := u.Unpack(archive(t, large)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(u.Dir, "copy"))
	if err != nil || info.Size() != large.Size {
		t.Fatal(info, err)
	}
	if used := info.Sys().(*syscall.Stat_t).Blocks * 512; used > 1<<20 {
		t.Errorf("64 MiB of zeros take %d bytes", used)
	}
}

func TestHolesAndDataComeOutInOrder(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data := slices.Concat([]byte("a"), make([]byte, 3*holeSize), []byte("b"), make([]byte, holeSize+17), bytes.Repeat([]byte("c"), 5000))
	w := &sparseWriter{f: f, wrote: func(int) {}}
	for _, part := range [][]byte{data[:1], data[1:9000], data[9000:]} {
		if n, err := w.Write(part); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	got, err := os.ReadFile(f.Name())
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes became %d others (%v)", len(data), len(got), err)
	}
}

// TestPackReadsNothingOutside: a sandbox that may write in a folder that is copied
// puts a link where a folder was.
func TestPackReadsNothingOutside(t *testing.T) {
	base := t.TempDir()
	for _, d := range []string{"secret", "tree/d"} {
		if err := os.MkdirAll(filepath.Join(base, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(base, "secret/f"), []byte("SECRET"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(base, "tree/d/f"), []byte("plain"), 0o600); err != nil {
		t.Fatal(err)
	}
	swap := swapper{at: filepath.Join(base, "tree/d"), to: "../secret"}
	err := Pack(&swap, filepath.Join(base, "tree"), "x")
	if !swap.done {
		t.Fatal("the folder was never replaced")
	}
	if err == nil || bytes.Contains(swap.Bytes(), []byte("SECRET")) {
		t.Errorf("read through a link: %v", err)
	}
}

// swapper replaces a folder by a link when the folder's header comes.
type swapper struct {
	bytes.Buffer
	at, to string
	done   bool
}

func (s *swapper) Write(p []byte) (int, error) {
	if !s.done && bytes.HasPrefix(p, []byte("x/d")) && os.Rename(s.at, s.at+".old") == nil && os.Symlink(s.to, s.at) == nil {
		s.done = true
	}
	return s.Buffer.Write(p)
}

func TestWhatIsNoFileIsRefusedByName(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(dir); err == nil || !strings.Contains(err.Error(), `pipe" is a FIFO`) {
		t.Error(err)
	}
}

// FuzzUnpack: whatever comes, nothing but the copy appears, and no link in it
// leads out.
func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, file("x/../../evil")).Bytes())
	f.Add(archive(f, link("x", "."), folder("x/.ssh"), file("x")).Bytes())
	f.Add(archive(f, folder("x"), folder("x/a"), link("x/a/l", ".."), hardLink("x/h", "x/a"), file("x/a/f")).Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		base := t.TempDir()
		in := filepath.Join(base, "in")
		if err := os.Mkdir(in, 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := unpackTo(in).Unpack(bytes.NewReader(data))
		for dir, may := range map[string]string{base: "in", in: "copy"} {
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				if e.Name() != may || err != nil && dir == in {
					t.Fatalf("%s in %s (%v)", e.Name(), dir, err)
				}
			}
		}
		top := filepath.Join(in, "copy")
		_ = filepath.WalkDir(top, func(at string, e fs.DirEntry, err error) error {
			if err != nil || e.Type()&fs.ModeSymlink == 0 {
				return nil
			}
			if to, err := filepath.EvalSymlinks(at); err == nil && to != top && !strings.HasPrefix(to, top+"/") {
				t.Fatalf("%s leads to %s", at, to)
			}
			return nil
		})
	})
}
