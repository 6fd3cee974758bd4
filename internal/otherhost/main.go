// Command otherhost is the first process of a virtual machine for tests: a host
// with the files of the one that booted it, but with a kernel of its own, whose
// control groups are of version 2 alone. It runs the command of its manifest,
// writes "otherhost: exit code N" to the console and switches the machine off.
//
// The machine needs the host's root as a read-only 9p export with the tag Tag,
// and the modules virtio_pci, 9p, 9pnet_virtio and overlay in its initrd. What is
// written goes to memory.
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/init/machine"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// tag is that of the export of the host's root, and modulesVar the environment
// variable that names the tree of the kernel's modules.
const (
	tag        = "host"
	modulesVar = "MODULES"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("otherhost: ")
	if err := run(); err != nil {
		log.Print(err)
	}
	log.Fatal(machine.PowerOff())
}

func run() error {
	if err := machine.Boot(); err != nil {
		return err
	}
	text, err := os.ReadFile(manifest.ManifestPath)
	if err != nil {
		return err
	}
	m, err := manifest.Decode(text)
	if err != nil {
		return err
	}
	for _, entry := range m.Run.Env {
		name, value, _ := strings.Cut(entry, "=")
		os.Setenv(name, value)
	}
	if err := enterRoot(); err != nil {
		return err
	}
	if err := mountAll(inRoot); err != nil {
		return err
	}
	if err := handDownControllers(); err != nil {
		return err
	}
	if err := prepare(os.Getenv(modulesVar)); err != nil {
		return err
	}
	command := exec.Command(m.Run.Argv[0], m.Run.Argv[1:]...)
	command.Dir = m.Run.Workdir
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); command.ProcessState == nil {
		return err
	}
	log.Printf("exit code %d", command.ProcessState.ExitCode())
	return nil
}

// mount is one call of mount(2).
type mount struct{ source, target, fstype, data string }

func mountAll(mounts []mount) error {
	for _, m := range mounts {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.source, m.target, m.fstype, 0, m.data); err != nil {
			return fmt.Errorf("cannot mount %s: %w", m.target, err)
		}
	}
	return nil
}

// enterRoot makes the host's files, under a layer in memory, this process's root.
func enterRoot() error {
	err := mountAll([]mount{
		{tag, "/lower", "9p", "trans=virtio,version=9p2000.L,msize=512000,ro,cache=loose"},
		{"tmpfs", "/layer", "tmpfs", "size=75%"},
	})
	if err != nil {
		return err
	}
	for _, dir := range []string{"/layer/upper", "/layer/work"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := mountAll([]mount{{"overlay", "/root", "overlay", "lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/work"}}); err != nil {
		return err
	}
	for _, dir := range []string{"/dev", "/proc", "/sys"} {
		if err := unix.Mount(dir, "/root"+dir, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("cannot move %s: %w", dir, err)
		}
	}
	if err := os.Chdir("/root"); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("cannot make it the root: %w", err)
	}
	return unix.Chroot(".")
}

// inRoot is what a host has besides its files.
var inRoot = []mount{
	{"tmpfs", "/run", "tmpfs", ""},
	{"tmpfs", "/dev/shm", "tmpfs", ""},
	{"devpts", "/dev/pts", "devpts", ""},
	{"cgroup2", "/sys/fs/cgroup", "cgroup2", ""},
}

// handDownControllers does as systemd does: services have groups of their own,
// for all of which the kernel keeps count.
func handDownControllers() error {
	const top = "/sys/fs/cgroup"
	own := filepath.Join(top, "otherhost")
	if err := os.Mkdir(own, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(own, "cgroup.procs"), []byte("0"), 0); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(top, "cgroup.subtree_control"), []byte("+cpuset +cpu +io +memory +pids"), 0)
}

// prepare loads what libvirt and its firewall find on a host that has booted in
// the usual way. There is no QEMU: libvirt would try it out for minutes here.
func prepare(modules string) error {
	if err := os.MkdirAll("/lib/modules", 0o755); err != nil {
		return err
	}
	if err := os.Symlink(modules, filepath.Join("/lib/modules", filepath.Base(modules))); err != nil {
		return err
	}
	for _, name := range []string{"fuse", "br_netfilter"} {
		if out, err := exec.Command("modprobe", name).CombinedOutput(); err != nil {
			return fmt.Errorf("modprobe %s: %w: %s", name, err, out)
		}
	}
	emulators, err := filepath.Glob("/usr/bin/qemu-system-*")
	if err != nil {
		return err
	}
	for _, path := range emulators {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}
