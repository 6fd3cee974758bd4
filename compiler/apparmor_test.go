package compiler_test

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/apparmor"
)

// AppArmor's parser takes the profile of every golden archive and shipped profile, as
// a container and as a machine.
func TestAppArmorsParserTakesEveryProfile(t *testing.T) {
	parser, err := exec.LookPath("apparmor_parser")
	if err != nil {
		t.Skip("needs apparmor_parser, of the package apparmor")
	}
	everyDocument(t, func(from string, f txtar.File) {
		if f.Name == compiler.AppArmorFile {
			checkProfile(t, parser, from, f.Data)
		}
	})
}

// checkProfile has the parser compile a profile for an ordinary host.
func checkProfile(t *testing.T, parser, from string, profile []byte) {
	t.Helper()
	bound := apparmor.Bind(profile, map[apparmor.Variable]string{
		compiler.SandboxVariable:  "/var/lib/sbx/x",
		compiler.EmulatorVariable: "/usr/bin/qemu-system-x86_64",
		compiler.FirmwareVariable: "/usr/share/qemu/qboot.rom",
		compiler.DomainsVariable:  "/var/lib/libvirt/qemu",
		compiler.LogsVariable:     "/var/log/libvirt/qemu",
	})
	run := exec.Command(parser, "-Q", "-K", "-S")
	run.Stdin = bytes.NewReader(bound)
	var said bytes.Buffer
	run.Stderr = &said
	if binary, err := run.Output(); err != nil || len(binary) == 0 {
		t.Errorf("%s: %v\n%s\n%s", from, err, &said, bound)
	}
}
