package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// formats are what a later sbx may have another version of: source, and its words.
var formats = map[string]string{
	"initramfs/channel/channel.go": "const Version = ",
	"compiler/bundle/bundle.go":    "const Version = ",
}

const upgraded = `package upgraded

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "upgraded"
	backend: "lxc"
	run: argv: ["/usr/bin/sh", "-c", "trap 'echo asked >/out/stopped; exit' TERM; echo begun; while :; do sleep 0.1; done"]
	expose: ["/usr"]
	mounts: "/out": {host: "/var/log/sbx/upgraded", writable: true}
}
`

// A sandbox that an sbx with other formats has started keeps running. This one sees
// it, says what it cannot do with it and why, and stops its service by its signal.
func TestAnotherSbxsFormats(t *testing.T) {
	testhost.Need(t)
	other := otherFormats(t)
	own, err := guestInit()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SBX_INIT", own)
	profile := filepath.Join(t.TempDir(), "upgraded.cue")
	if err := os.WriteFile(profile, []byte(upgraded), 0o644); err != nil {
		t.Fatal(err)
	}
	up := func() {
		t.Helper()
		cmd := exec.Command(other, "up", profile)
		cmd.Env = append(os.Environ(), "SBX_INIT="+filepath.Join(filepath.Dir(other), "sbx-init"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("the other sbx: %v\n%s", err, out)
		}
	}
	t.Cleanup(func() { runSbx(t, "down", "upgraded") })
	up()
	if code, out := runSbx(t, "ps"); code != verb.ExitOK || !strings.Contains(out, "upgraded") {
		t.Errorf("ps ends with %d:\n%s", code, out)
	}
	if code, out := runSbx(t, "logs", "upgraded"); code != verb.ExitOK || out != "begun\n" {
		t.Errorf("logs ends with %d: %q", code, out)
	}
	for _, args := range [][]string{{"exec", "upgraded", "--", "true"}, {"up", profile}, {"restart", "upgraded"}} {
		var said strings.Builder
		if code := run(t.Context(), strings.NewReader(""), &said, &said, args); code == verb.ExitOK || !strings.Contains(said.String(), "another sbx has started it") {
			t.Errorf("%q ends with %d: %s", args, code, said.String())
		}
	}
	mustSbx(t, "stop", "upgraded")
	if asked, err := os.ReadFile("/var/log/sbx/upgraded/stopped"); err != nil || string(asked) != "asked\n" {
		t.Errorf("the service was not asked to stop: %v, %q", err, asked)
	}
	mustSbx(t, "up", profile)
	mustSbx(t, "exec", "upgraded", "--", "true")
	mustSbx(t, "down", "upgraded")
	up()
	mustSbx(t, "down", "upgraded")
}

// otherFormats builds sbx and sbx-init with the next version of each format.
func otherFormats(t *testing.T) (sbx string) {
	t.Helper()
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for file, words := range formats {
		path, err := filepath.Abs(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(source), words) != 1 {
			t.Fatalf("%s has not one %q", file, words)
		}
		replaced := filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(replaced, []byte(strings.Replace(string(source), words, words+"1 + ", 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[path] = replaced
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{"sbx": "cmd/sbx", "sbx-init": "initramfs/init"} {
		build := exec.Command("go", "build", "-overlay", file, "-tags", "libvirt_dlopen", "-o", filepath.Join(dir, name), "./"+from)
		build.Dir = "../.."
		if name == "sbx-init" {
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
		}
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return filepath.Join(dir, "sbx")
}
