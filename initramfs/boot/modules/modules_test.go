package modules_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/sbx-dev/sbx/initramfs/boot/modules"
)

const dep = `kernel/drivers/virtio/virtio_ring.ko:
kernel/drivers/virtio/virtio.ko.xz: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_pci.ko.gz: kernel/drivers/virtio/virtio-legacy.ko.zst kernel/drivers/virtio/virtio.ko.xz kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio-legacy.ko.zst:
kernel/net/9p/9pnet.ko:
kernel/fs/9p/9p.ko: kernel/net/9p/9pnet.ko
kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko
kernel/fs/jbd2/jbd2.ko:
kernel/arch/x86/crypto/crc32c-intel.ko:
kernel/crypto/crc32c_generic.ko: kernel/crypto/shash.ko
kernel/crypto/shash.ko:
`

const softdep = `# made by depmod
softdep jbd2 pre: crypto-crc32c nowhere overlay
softdep ext4 pre: crypto-crc32c jbd2 post: 9p
`

const alias = `alias pci:v00001AF4* virtio_pci
alias crypto-crc32c crc32c_intel
alias crypto-crc32c crc32c_generic
alias crypto-crc32c gone
`

func tree(t testing.TB) string {
	dir := t.TempDir()
	pack := map[string]func(io.Writer) io.WriteCloser{
		"virtio.ko.xz":         func(w io.Writer) io.WriteCloser { z, _ := xz.NewWriter(w); return z },
		"virtio_pci.ko.gz":     func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"virtio-legacy.ko.zst": func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
	}
	for name, open := range pack {
		var b bytes.Buffer
		w := open(&b)
		io.WriteString(w, "content of "+name)
		w.Close()
		write(t, filepath.Join(dir, "kernel/drivers/virtio", name), b.String())
	}
	write(t, filepath.Join(dir, "kernel/drivers/virtio/virtio_ring.ko"), "content of virtio_ring.ko")
	write(t, filepath.Join(dir, "modules.dep"), dep)
	write(t, filepath.Join(dir, "modules.softdep"), softdep)
	write(t, filepath.Join(dir, "modules.alias"), alias)
	write(t, filepath.Join(dir, "modules.builtin"), "kernel/fs/overlayfs/overlay.ko\nkernel/drivers/char/virtio-rng.ko\n")
	return dir
}

func write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestClosure(t *testing.T) {
	tr, err := modules.Open(tree(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		names []string
		want  string
	}{
		{[]string{"virtio_pci"}, "virtio_ring virtio virtio_legacy virtio_pci"},
		{[]string{"virtio-pci", "9p", "virtio"}, "virtio_ring virtio virtio_legacy virtio_pci 9pnet 9p"},
		{[]string{"overlay", "virtio_rng"}, ""},
		{[]string{"ext4"}, "crc32c_intel shash crc32c_generic jbd2 ext4"},
		{nil, ""},
	} {
		files, err := tr.Closure(c.names...)
		var names []string
		for _, f := range files {
			names = append(names, modules.Name(f))
		}
		if got := strings.Join(names, " "); err != nil || got != c.want {
			t.Errorf("Closure(%v) = %s, %v; want %s", c.names, got, err, c.want)
		}
	}
	var missing *modules.MissingError
	if _, err := tr.Closure("virtio_pci", "virtiofs"); !errors.As(err, &missing) || missing.Module != "virtiofs" {
		t.Errorf("a module that is nowhere: %v", err)
	}
}

func TestReadEveryCompression(t *testing.T) {
	tr, err := modules.Open(tree(t))
	if err != nil {
		t.Fatal(err)
	}
	files, err := tr.Closure("virtio_pci")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := tr.Read(file)
		if want := "content of " + filepath.Base(file); err != nil || string(content) != want {
			t.Errorf("Read(%s) = %q, %v", file, content, err)
		}
	}
	if _, err := tr.Read("kernel/net/9p/9pnet.ko"); err == nil {
		t.Error("a file that is in modules.dep and not on disk was read")
	}
}

func TestReadDamagedModule(t *testing.T) {
	dir := tree(t)
	tr, err := modules.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"virtio.ko.xz", "virtio_pci.ko.gz", "virtio-legacy.ko.zst"} {
		file := filepath.Join("kernel/drivers/virtio", name)
		whole, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, file), string(whole[:len(whole)-6]))
		if _, err := tr.Read(file); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s cut short: %v", name, err)
		}
	}
}

func TestOpenWithoutDep(t *testing.T) {
	if _, err := modules.Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "depmod") {
		t.Errorf("a tree without modules.dep: %v", err)
	}
}

func FuzzParseDeps(f *testing.F) {
	f.Add(dep)
	f.Add("../../etc/passwd.ko:\n")
	f.Add("/abs.ko: a.ko\n")
	f.Fuzz(func(t *testing.T, text string) {
		deps, err := modules.ParseDeps(strings.NewReader(text))
		if err != nil {
			return
		}
		for name, files := range deps {
			if name == "" || len(files) == 0 || modules.Name(files[0]) != name {
				t.Errorf("module %q has the files %q", name, files)
			}
			if slices.ContainsFunc(files, func(f string) bool { return !filepath.IsLocal(f) }) {
				t.Errorf("module %q leaves the tree: %q", name, files)
			}
		}
	})
}

// FuzzRead reads any module at all, in every compression: what comes of it is bounded.
func FuzzRead(f *testing.F) {
	dir := tree(f)
	for _, name := range []string{"virtio.ko.xz", "virtio_pci.ko.gz", "virtio-legacy.ko.zst"} {
		data, err := os.ReadFile(filepath.Join(dir, "kernel/drivers/virtio", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(filepath.Ext(name), data)
	}
	tr, err := modules.Open(dir)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, suffix string, data []byte) {
		if !slices.Contains([]string{".gz", ".xz", ".zst", ".ko"}, suffix) {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, "any.ko"+suffix), data, 0o600); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(filepath.Join(dir, "any.ko"+suffix))
		if got, err := tr.Read("any.ko" + suffix); err == nil && len(got) > 256<<20 {
			t.Errorf("%d bytes", len(got))
		}
	})
}

// FuzzOpen opens a tree whose other lists are any text at all.
func FuzzOpen(f *testing.F) {
	f.Add(dep, softdep, alias, "kernel/fs/overlayfs/overlay.ko\n")
	f.Add("a.ko: b.ko\nb.ko: a.ko\n", "softdep a pre: b\nsoftdep b pre: a\n", "alias b a\n", "")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, dep, soft, alias, builtin string) {
		for name, text := range map[string]string{"modules.dep": dep, "modules.softdep": soft, "modules.alias": alias, "modules.builtin": builtin} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		tr, err := modules.Open(dir)
		if err != nil {
			return
		}
		files, err := tr.Closure("ext4", "a", "virtio_pci")
		if err == nil && slices.ContainsFunc(files, func(f string) bool { return !filepath.IsLocal(f) }) {
			t.Errorf("%q leaves the tree", files)
		}
	})
}

// Who can change the tree of a machine's modules, which its guest gets to see, has no file
// of the host's read that lies outside of it.
func TestLinksOfOthersLeadNowhere(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving a folder away takes root")
	}
	secret := filepath.Join(t.TempDir(), "secret.ko")
	write(t, secret, "secret")
	for _, file := range []string{"kernel/net/9p/9pnet.ko", "modules.dep", "modules.alias"} {
		dir := tree(t)
		at := filepath.Join(dir, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.RemoveAll(at), os.Symlink(secret, at), os.Chown(filepath.Dir(at), 70_000, 70_000)); err != nil {
			t.Fatal(err)
		}
		tr, err := modules.Open(dir)
		if err == nil {
			_, err = tr.Closure("ext4") // which looks an alias up
		}
		if err == nil {
			var content []byte
			if content, err = tr.Read("kernel/net/9p/9pnet.ko"); err == nil {
				t.Errorf("%s: %q", file, content)
			}
		}
		if err == nil || !strings.Contains(err.Error(), "user 70000 can change") {
			t.Errorf("%s: %v", file, err)
		}
	}
}
