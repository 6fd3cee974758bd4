package cpio_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/initramfs/boot/cpio"
)

func TestArchiveBytes(t *testing.T) {
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	for _, err := range []error{
		w.Folder("dev", 0o755),
		w.Device("dev/null", 0o666, 1, 3),
		w.File("init", 0o755, []byte("hello")),
		w.Link("sh", "init"),
		w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	zero := "00000000"
	want := strings.Join([]string{
		"070701", "00000001", "000041ED", zero, zero, "00000002", zero, zero, zero, zero, zero, zero, "00000004", zero, "dev\x00\x00\x00",
		"070701", "00000002", "000021B6", zero, zero, "00000001", zero, zero, zero, zero, "00000001", "00000003", "00000009", zero, "dev/null\x00\x00",
		"070701", "00000003", "000081ED", zero, zero, "00000001", zero, "00000005", zero, zero, zero, zero, "00000005", zero, "init\x00\x00", "hello\x00\x00\x00",
		"070701", "00000004", "0000A1FF", zero, zero, "00000001", zero, "00000004", zero, zero, zero, zero, "00000003", zero, "sh\x00\x00\x00\x00", "init",
		"070701", zero, zero, zero, zero, "00000001", zero, zero, zero, zero, zero, zero, "0000000B", zero, "TRAILER!!!\x00\x00\x00\x00",
	}, "")
	if b.String() != want {
		t.Errorf("archive\n%q\nwant\n%q", b.String(), want)
	}
}

func TestRefusedPaths(t *testing.T) {
	for name, why := range map[string]string{
		"/init":       "clean path",
		"../init":     "clean path",
		"a//b":        "clean path",
		"":            "clean path",
		".":           "clean path",
		"a\x00b":      "clean path",
		"dev":         "twice",
		"nowhere/sub": "before its folder",
	} {
		w := cpio.NewWriter(&bytes.Buffer{})
		if err := w.Folder("dev", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := w.File(name, 0o644, nil); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("File(%q) = %v, want an error with %q", name, err, why)
		}
	}
}
