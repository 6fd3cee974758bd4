package kvm

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/arch"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/inits"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/runtime/internal/rootfs"
	"github.com/sbx-dev/sbx/schema/diag"
)

// bindArch makes the domain one of the profile's architecture, or of this host's
// where it names none.
func bindArch(s *bound.Sandbox) (err error) {
	if s.Arch, err = inits.ArchOf(s.Metadata.Machine.Arch); err != nil {
		return err
	}
	return fault.Because(diag.OtherVersion, compiler.BindArch(s.Domain, s.Arch.Name))
}

// emulatedARM is the processor of emulated machines of aarch64. All that QEMU can
// emulate ("max") has signed pointers, which take most of the time: a shell's loop
// is three times slower.
const emulatedARM = "cortex-a72"

// withoutEmulator adds the mend to libvirt's word for a QEMU that is not there.
func withoutEmulator(s *bound.Sandbox, err error) error {
	if err == nil || !strings.Contains(err.Error(), "No emulator found") {
		return err
	}
	return fmt.Errorf("%w\n%s is not there: apt install %s", err, s.Arch.QEMU(), s.Arch.Emulator)
}

// chooseForeign is chooseAccel for an architecture that is not this host's.
func chooseForeign(s *bound.Sandbox, forced string) (string, error) {
	const alone = "hardware virtualisation is for machines of the host's own architecture alone"
	if forced == qemu.AccelKVM || forced == "" && s.Metadata.Machine.Accel != "prefer" {
		return "", fault.New(diag.OtherArch, "the machine is %s, which this host is not, and %s: go on without, many times slower, with machine: accel: \"prefer\" or --accel tcg", s.Arch.Name, alone)
	}
	s.Log(fmt.Sprintf("the machine is %s, which this host is not: it is emulated, many times slower", s.Arch.Name))
	return qemu.AccelTCG, nil
}

// checkProgram refuses a machine whose command is a program of the host's for
// another architecture: nothing could start in it. What cannot be found here, or
// is no such program, is left to the machine, which says so.
func checkProgram(s *bound.Sandbox) error {
	command := commandPath(s)
	for range 2 { // a script, and what runs it
		at := onHost(s, command)
		if at == "" {
			return nil
		}
		head := beginning(at)
		if machine, ok := elfMachine(head); ok {
			of := arch.OfELF(machine)
			if of == "" || s.Arch.CanRun(machine) {
				return nil
			}
			return fault.New(diag.OtherArch, "its command %s is the host's %s, a program for %s, and the machine is %s: mount a folder with programs for %s in its place, as in mounts: \"/usr\": host: \"/srv/%s/usr\"",
				command, at, of, s.Arch.Name, s.Arch.Name, s.Arch.Go)
		}
		if command = interpreter(head); command == "" {
			return nil
		}
	}
	return nil
}

// commandPath is the path inside of the program that is run; one without a slash is
// looked for on the command's own PATH. "" is for what is not found.
func commandPath(s *bound.Sandbox) string {
	if len(s.Command.Argv) == 0 {
		return ""
	}
	name := s.Command.Argv[0]
	switch {
	case path.IsAbs(name):
		return name
	case strings.Contains(name, "/"):
		return path.Join("/", s.Command.Workdir, name)
	}
	for _, e := range s.Command.Env {
		folders, ok := strings.CutPrefix(e, "PATH=")
		if !ok {
			continue
		}
		for _, folder := range filepath.SplitList(folders) {
			if at := path.Join("/", folder, name); onHost(s, at) != "" {
				return at
			}
		}
	}
	return ""
}

// maxLinks is how many links the kernel follows (path_resolution(7)).
const maxLinks = 40

// onHost is the host's path of a file that the sandbox sees, with the links on the
// way followed as they lead inside; "" is none.
func onHost(s *bound.Sandbox, inside string) string {
	for range maxLinks {
		inside = s.ThroughRootLinks(path.Clean(inside))
		m := rootfs.Enclosing(inside, s.Manifest.Mounts)
		if m == nil || m.Kind != manifest.Export || s.Host[m.Target] == nil {
			return ""
		}
		base := s.Host[m.Target].Real
		at, link := walk(base, strings.TrimPrefix(inside, m.Target))
		if link == "" {
			return at
		}
		rest := strings.TrimPrefix(filepath.Join(base, strings.TrimPrefix(inside, m.Target)), at)
		leads, err := os.Readlink(at)
		if err != nil {
			return ""
		}
		if !path.IsAbs(leads) {
			leads = path.Join(path.Dir(path.Join(m.Target, link)), leads)
		}
		inside = path.Join(leads, rest)
	}
	return ""
}

// walk goes down from base until it meets a link, whose path below base it gives,
// or is there. at is "" for what is not there.
func walk(base, below string) (at, link string) {
	at = base
	for part := range strings.SplitSeq(strings.Trim(below, "/"), "/") {
		if part == "" {
			continue
		}
		at, link = filepath.Join(at, part), path.Join(link, part)
		info, err := os.Lstat(at)
		switch {
		case err != nil:
			return "", ""
		case info.Mode()&fs.ModeSymlink != 0:
			return at, link
		}
	}
	return at, ""
}

// beginning reads what tells the kind of a regular file, and nothing of any other.
func beginning(at string) []byte {
	f, err := os.OpenFile(at, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	head := make([]byte, 256) // as much as the kernel looks at (BINPRM_BUF_SIZE)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return head[:n]
}

// elfMachine is what a program is for.
func elfMachine(head []byte) (elf.Machine, bool) {
	if !bytes.HasPrefix(head, []byte(elf.ELFMAG)) || len(head) < 20 || head[elf.EI_DATA] != byte(elf.ELFDATA2LSB) {
		return 0, false
	}
	return elf.Machine(binary.LittleEndian.Uint16(head[18:])), true
}

// interpreter is what runs a script, by its first line; "" is for what is none.
func interpreter(head []byte) string {
	line, ok := bytes.CutPrefix(head, []byte("#!"))
	if !ok {
		return ""
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	words := strings.Fields(string(line))
	if len(words) == 0 || !path.IsAbs(words[0]) {
		return ""
	}
	return words[0]
}
