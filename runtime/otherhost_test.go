package runtime_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/initramfs/boot"
	"github.com/sbx-dev/sbx/initramfs/boot/cache"
	"github.com/sbx-dev/sbx/initramfs/boot/kernel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/guestkernel"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// again are the tests that depend on the host's control groups, its root's rights and its
// kernel's firewall.
var again = []string{"TestLimits", "TestLimitsBeyondTheHosts", "TestMemoryIsNotSwapped", "TestGroupsAreTheHosts", "TestInnerWall", "TestDenied", "TestDeniedOfSeveralInterfaces", "TestGuard"}

// walls are the tests of package innerwall: this host's kernel may not follow
// connections across bridges, and that one does.
var walls = []string{"TestAble", "TestOthersChangesShow", "TestLargeTable", "TestRemove", "TestNoGapAndNoOpening"}

// packets are the tests of package nwfilter that such a kernel is needed for. They need no
// libvirtd, which -short leaves out: its programs take an emulated machine long to start.
var packets = []string{"TestInnerWallAgreesWithTheKernel"}

// Containers keep what they promise on a host whose control groups are of version
// 2 alone, as distributions have them today: the tests run again on one, which is
// a virtual machine with this host's files. Its kernel can hold inner walls, too.
func TestContainersUnderControlGroupsOfVersion2(t *testing.T) {
	testhost.Need(t)
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Minute)
	defer cancel()
	out := onOtherHost(t, ctx, "/bin/sh", "-c", `"$1" -test.v -test.count=1 "-test.run=^($2)$" && "$3" -test.v -test.count=1 "-test.run=^($4)$" && "$5" -test.short -test.v -test.count=1 "-test.run=^($6)$"`, "sh",
		unraced(t, "."), strings.Join(again, "|"), unraced(t, "./internal/innerwall"), strings.Join(walls, "|"), unraced(t, "../compiler/firewall/nwfilter"), strings.Join(packets, "|"))
	if !bytes.Contains(out, []byte("otherhost: exit code 0")) {
		t.Fatalf("the tests did not pass there:\n%s", out)
	}
	for _, test := range slices.Concat(again, walls, packets) {
		if !bytes.Contains(out, []byte("--- PASS: "+test+" ")) {
			t.Errorf("%s was left out there:\n%s", test, out)
		}
	}
}

// unraced builds a package's tests without the race detector, which they have on this
// host: in an emulated machine it would take two thirds of the time.
func unraced(t testing.TB, pkg string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tests")
	build := exec.Command("go", "test", "-c", "-tags", "libvirt_dlopen otherhost", "-o", file, pkg)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	return file
}

// onOtherHost boots the machine that internal/otherhost describes, with a command
// of this host's, and gives what it wrote to its console.
func onOtherHost(t testing.TB, ctx context.Context, argv ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	work, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	image, modules := guestkernel.Get(t)
	told := &manifest.Manifest{Version: manifest.Version, Name: "otherhost", Run: manifest.Run{
		Argv:    argv,
		Env:     []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "MODULES=" + modules, programsVar + "=" + filepath.Dir(program(t, "probe"))},
		Workdir: work,
	}}
	for _, name := range []string{"virtio_pci", "9p", "9pnet_virtio", "overlay"} {
		told.Modules = append(told.Modules, manifest.Module{Name: name, For: "the host's files"})
	}
	files, err := cache.Open(filepath.Join(dir, "cache"), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	builder := boot.Builder{Kernel: &kernel.Kernel{Image: image, Modules: modules}, Init: program(t, "otherhost"), Cache: files}
	if _, err := builder.PlaceKernel(t.Context(), filepath.Join(dir, "kernel")); err != nil {
		t.Fatal(err)
	}
	if err := builder.PlaceInitrd(t.Context(), told, filepath.Join(dir, "initrd")); err != nil {
		t.Fatal(err)
	}
	start := func() []byte {
		out, err := exec.CommandContext(ctx, "qemu-system-x86_64",
			"-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
			"-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m", "3072",
			"-kernel", filepath.Join(dir, "kernel"), "-initrd", filepath.Join(dir, "initrd"), "-append", "console=ttyS0 quiet panic=-1 watchdog_thresh=60 softlockup_panic=1",
			"-serial", "stdio",
			"-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap", "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
		).CombinedOutput()
		if err != nil {
			t.Errorf("QEMU: %v", err)
		}
		return out
	}
	out := start()
	if bytes.Contains(out, []byte(hung)) {
		t.Logf("a processor of the machine hung, and it is booted once more:\n%s", out)
		out = start()
	}
	return out
}

// hung is what the machine's kernel says last when one of its two processors has been at
// the same for two minutes. QEMU 7.2's emulation may leave a processor at a jump that the
// other one has just patched, as the kernel does where the packet filter gets its first
// rule or loses its last: it was seen to stand at one in ip_local_deliver, which leads
// forward. A fault of ours comes again.
const hung = "Kernel panic - not syncing: softlockup: hung tasks"
