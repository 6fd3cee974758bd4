package runtime_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/boot"
	"github.com/sbx-dev/sbx/initramfs/boot/cache"
	"github.com/sbx-dev/sbx/initramfs/boot/kernel"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/internal/turns"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// BenchmarkMachine measures, in turns, the time to the exit status of /bin/false
// in a machine: by sbx run, and by a bare QEMU with the same kernel, initrd and
// devices whose channel this process speaks on.
func BenchmarkMachine(b *testing.B) {
	testhost.Need(b)
	sbx := buildSbx(b)
	bare := newBareMachine(b)
	bySbx(b, sbx) // fills the caches
	turns.Ratio(b,
		turns.Side{Unit: "sbx-ms", Measure: turns.Milliseconds(func() { bySbx(b, sbx) })},
		turns.Side{Unit: "bare-ms", Measure: turns.Milliseconds(func() { bare.run(b) })},
		turns.Goal{AtMost: 1.2})
}

func buildSbx(b *testing.B) string {
	b.Helper()
	bin := filepath.Join(b.TempDir(), "sbx")
	if out, err := exec.Command("go", "build", "-tags", "libvirt_dlopen", "-o", bin, "../cmd/sbx").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// bySbx runs /bin/false by sbx run.
func bySbx(b *testing.B, bin string) {
	b.Helper()
	o := machineOptions(b)
	cmd := exec.CommandContext(b.Context(), bin, "run", "-b", "kvm", "--cold", "--", "/bin/false")
	cmd.Env = append(os.Environ(), "SBX_INIT="+o.Init, "SBX_ACCEL=tcg", "SBX_KERNEL="+o.Kernel, "SBX_MODULES="+o.Modules)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 {
		b.Fatalf("sbx run: %v\n%s", err, out)
	}
}

// bareMachine is what sbx run makes of the shell profile, without sbx and
// libvirt.
type bareMachine struct {
	argv   []string
	socket string
}

func newBareMachine(b *testing.B) *bareMachine {
	b.Helper()
	profiles, err := (&load.Config{Dir: "../profiles"}).Load("shell.cue")
	if err != nil {
		b.Fatal(err)
	}
	profiles[0].Backend = schema.KVM
	bundle, err := compiler.Compile(profiles[0], compiler.Options{Ephemeral: true})
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	placeBoot(b, bundle, dir)
	m := &bareMachine{socket: filepath.Join(dir, "channel")}
	m.argv = qemuArguments(b, bundle, dir, m.socket)
	return m
}

func placeBoot(b *testing.B, bundle *compiler.Bundle, dir string) {
	b.Helper()
	o := machineOptions(b)
	files, err := cache.Open(filepath.Join(dir, "cache"), 1<<30)
	if err != nil {
		b.Fatal(err)
	}
	told, err := manifest.Decode(bundle.File("initrd.json"))
	if err != nil {
		b.Fatal(err)
	}
	builder := boot.Builder{Kernel: &kernel.Kernel{Image: o.Kernel, Modules: o.Modules}, Init: o.Init, Cache: files}
	if _, err := builder.PlaceKernel(b.Context(), filepath.Join(dir, "kernel")); err != nil {
		b.Fatal(err)
	}
	if err := builder.PlaceInitrd(b.Context(), told, filepath.Join(dir, "initrd")); err != nil {
		b.Fatal(err)
	}
}

// qemuArguments give QEMU the devices of the bundle's domain.
func qemuArguments(b *testing.B, bundle *compiler.Bundle, dir, socket string) []string {
	b.Helper()
	var d libvirtxml.Domain
	if err := d.Unmarshal(string(bundle.File("domain.xml"))); err != nil {
		b.Fatal(err)
	}
	args := []string{
		"-no-user-config", "-nodefaults", "-display", "none",
		"-machine", "q35,usb=off", "-accel", "tcg,tb-size=64", "-cpu", "max,erms=off,fsrm=off",
		"-m", strconv.Itoa(int(d.Memory.Value / 1024)), "-smp", strconv.Itoa(int(d.VCPU.Value)),
		"-kernel", filepath.Join(dir, "kernel"), "-initrd", filepath.Join(dir, "initrd"), "-append", d.OS.Cmdline,
		"-chardev", "socket,id=channel,server=on,wait=off,path=" + socket,
		"-device", "virtio-serial-pci,addr=0x2", "-device", "virtserialport,chardev=channel,name=" + manifest.PortName,
		"-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng,addr=0x3",
	}
	if _, err := os.Stat(runtime.QbootROM); err == nil {
		args = append(args, "-bios", runtime.QbootROM)
	}
	for i, f := range d.Devices.Filesystems {
		args = append(args,
			"-fsdev", fmt.Sprintf("local,security_model=none,multidevs=remap,readonly=on,id=fs%d,path=%s", i, f.Source.Mount.Dir),
			"-device", fmt.Sprintf("virtio-9p-pci,fsdev=fs%d,mount_tag=%s,addr=%#x", i, f.Target.Dir, 4+i))
	}
	return args
}

// run boots the machine, runs /bin/false in it and ends it once it has the exit
// status.
func (m *bareMachine) run(b *testing.B) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	_ = os.Remove(m.socket)
	var said bytes.Buffer
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64", m.argv...)
	qemu.Stderr = &said
	if err := qemu.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = qemu.Process.Kill()
		_ = qemu.Wait()
	}()
	conn, err := net.Dial("unix", m.socket)
	for ; err != nil && ctx.Err() == nil; conn, err = net.Dial("unix", m.socket) {
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		b.Fatalf("%v: %s", err, said.String())
	}
	client, err := channel.Dial(ctx, conn)
	if err != nil {
		b.Fatalf("%v: %s", err, said.String())
	}
	defer client.Close()
	exit, err := client.Run(ctx, channel.Command{Argv: []string{"/bin/false"}}, channel.Stdio{Stdout: io.Discard, Stderr: io.Discard})
	if err != nil || exit.Code != 1 {
		b.Fatalf("%v, %v", exit, err)
	}
}
