package doctor

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/sbx-dev/sbx/initramfs/boot/modules"
	"github.com/sbx-dev/sbx/internal/arch"
	"github.com/sbx-dev/sbx/internal/hostpath"
	"github.com/sbx-dev/sbx/runtime"
	onhost "github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/schema"
)

const qemuBudget = 2 * time.Minute

// reachMachines connects to libvirtd, without which a machine can still be run,
// but no service.
func reachMachines(ctx context.Context, h host) Check {
	const without = "sbx run --backend kvm goes without, by libvirt's embedded driver, and has no network then"
	c := reach(schema.KVM, "apt install libvirt-daemon-system libvirt-daemon-driver-qemu && systemctl start "+runtime.Daemon(schema.KVM))(ctx, h)
	switch {
	case c.State != Fail, !h.runtime.MayEmbed():
		return c
	case !runtime.HasDriver("/"):
		return fail("apt install libvirt-daemon-driver-qemu", "libvirt's QEMU driver is not there")
	case h.runtime.NeedRoot(schema.KVM) != nil:
		return warn(c.Mend, "services (sbx up) need root; %s", without)
	}
	return warn(c.Mend, "%s; %s", c.Found, without)
}

// qemu asks the emulator whether it can share host folders.
func qemu(ctx context.Context, _ host) Check {
	a, err := arch.Host()
	if err != nil {
		return fail("machine: arch names another one, which is emulated", "%v", err)
	}
	path, err := exec.LookPath(a.QEMU())
	if err != nil {
		return fail("apt install "+a.Emulator, "%s is not there", a.QEMU())
	}
	ctx, cancel := context.WithTimeout(ctx, qemuBudget)
	defer cancel()
	devices, err := exec.CommandContext(ctx, path, "-device", "help").Output()
	if err != nil {
		return fail("reinstall "+a.Emulator, "%s -device help: %v", path, err)
	}
	if !bytes.Contains(devices, []byte(`"virtio-9p-pci"`)) {
		return fail("install a QEMU that is built with virtfs", "%s cannot share host folders: it has no virtio-9p-pci", path)
	}
	return ok("%s, with 9p", path)
}

func hardware(context.Context, host) Check {
	if err := onhost.CheckKVM(); err != nil {
		return fail(`or go on many times slower: --accel tcg, or machine: accel: "prefer"`, "%v", err)
	}
	return ok("hardware virtualisation works")
}

// guestModules are those of a machine with an exposed path and a network.
var guestModules = []string{"virtio_pci", "virtio_console", "virtio_rng", "9pnet_virtio", "9p", "virtio_net"}

func guestKernel(_ context.Context, h host) Check {
	a, err := arch.Host()
	if err != nil {
		return fail("machine: arch names another one, which is emulated", "%v", err)
	}
	mend := "apt install " + a.KernelPackage() + " (the cloud kernel has no 9p)"
	found, err := h.runtime.FindKernel("", "", a.Name)
	if err != nil {
		return fail(mend, "%v", err)
	}
	file, err := hostpath.Read(found.Image)
	if err != nil {
		return fail("chmod a+r "+found.Image, "%v", err)
	}
	file.Close()
	tree, err := modules.Open(found.Modules)
	if err == nil {
		_, err = tree.Closure(guestModules...)
	}
	if err != nil {
		return fail(mend, "%v", err)
	}
	return ok("%s with %s", found.Image, found.Modules)
}

func qemuUser(context.Context, host) Check {
	text, mend, err := onhost.DescribeUser()
	if err != nil {
		return fail("apt install libvirt-daemon-driver-qemu", "%v", err)
	}
	if err := onhost.CheckLibvirtFolder(); err != nil {
		return fail(onhost.LibvirtFolderMend, "%v", err)
	}
	if mend != "" {
		return warn(mend, "%s", text)
	}
	return ok("%s", text)
}

func qboot(_ context.Context, h host) Check {
	if a, err := arch.Host(); err != nil || a.Name != arch.X86 {
		return ok("not needed: only machines of %s start by a firmware", arch.X86)
	}
	if _, err := os.Stat(filepath.Join(h.root, runtime.QbootROM)); err != nil {
		return warn("apt install qemu-system-data", "no %s: machines start a tenth of a second slower", runtime.QbootROM)
	}
	return ok("%s", runtime.QbootROM)
}
