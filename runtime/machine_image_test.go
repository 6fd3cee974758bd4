package runtime_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
)

// command runs a program of the host's and gives its output.
func command(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return string(out)
}

// images makes a folder with the images of image.cue, each an ext4 file system
// that holds the file hello, for the machine's own user.
func images(t *testing.T) string {
	t.Helper()
	dir := sharedDir(t)
	content := t.TempDir()
	if err := os.WriteFile(filepath.Join(content, "hello"), []byte("from the host\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	raw := filepath.Join(dir, "raw")
	command(t, "mkfs.ext4", "-q", "-d", content, raw, "16M")
	for _, name := range []string{"qcow2", "read-only"} {
		command(t, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, filepath.Join(dir, name))
	}
	for _, name := range []string{"raw", "qcow2", "read-only"} {
		id := int(compiler.IDBase("image"))
		if err := os.Chown(filepath.Join(dir, name), id, id); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestMachineWithImages reads and writes disk images in a machine, and reads on
// the host what it has written.
func TestMachineWithImages(t *testing.T) {
	testhost.Need(t)
	dir := images(t)
	r := newRuntime(t)
	up(t, r, compile(t, "image.cue", "dir="+dir))
	useImages(t, r)
	if _, err := r.Down(t.Context(), "image"); err != nil {
		t.Fatal(err)
	}
	converted := filepath.Join(t.TempDir(), "converted")
	command(t, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", filepath.Join(dir, "qcow2"), converted)
	for image, want := range map[string]string{filepath.Join(dir, "raw"): "raw\n", converted: "qcow2\n"} {
		// debugfs does not look into the journal: nothing may be left there.
		if got := command(t, "debugfs", "-R", "cat /written", image); !strings.HasSuffix(got, "\n"+want) {
			t.Errorf("%s: the machine has written %q", image, got)
		}
		command(t, "e2fsck", "-f", "-n", image)
	}
}

func useImages(t *testing.T, r *runtime.Runtime) {
	t.Helper()
	client, err := r.Attach(t.Context(), "image")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, c := range []struct {
		script, want string
		fails        bool
	}{
		{script: "cat /raw/hello /qcow2/hello /read-only/hello", want: "from the host\nfrom the host\nfrom the host\n"},
		{script: "echo raw >/raw/written && echo qcow2 >/qcow2/written"},
		{script: "echo x >/read-only/written", want: "Read-only file system", fails: true},
		{script: "cat /raw/conf.d/mine.conf", want: "mine\n"},
		{script: "cp /usr/bin/true /raw/true && /raw/true"},
		{script: "sleep 1000 3>/raw/open >/dev/null 2>&1 &"}, // which is killed with the file open
		{script: "ls /dev | grep -e vd -e image", fails: true},
	} {
		var out bytes.Buffer
		exit, err := client.Exec(t.Context(), channel.Command{Argv: []string{"/usr/bin/sh", "-c", c.script}}, channel.Stdio{Stdout: &out, Stderr: &out})
		if err != nil || (exit != channel.Exit{}) != c.fails || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s gave %v, %q (%v)", c.script, exit, &out, err)
		}
	}
}

// TestImageWithABackingFile shows a machine a qcow2 image that names another host
// file as the rest of its content, which must not come in with it.
func TestImageWithABackingFile(t *testing.T) {
	testhost.Need(t)
	dir := images(t)
	image := filepath.Join(dir, "qcow2")
	command(t, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", filepath.Join(dir, "raw"), image)
	r := newRuntime(t)
	_, err := r.Up(t.Context(), compile(t, "image.cue", "dir="+dir))
	if err == nil || !strings.Contains(err.Error(), "cannot mount the image "+image) {
		t.Errorf("got %v", err)
	}
	if list, err := r.List(); err != nil || len(list) != 0 {
		t.Errorf("left in libvirt: %v, %v", list, err)
	}
}
