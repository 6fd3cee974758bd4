package qemu

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// The accelerators: hardware virtualisation, and QEMU's own emulation.
const (
	AccelKVM = "kvm"
	AccelTCG = "tcg"
)

// KVM's ioctls, from linux/kvm.h.
const (
	kvmGetAPIVersion = 0xae00
	kvmCreateVM      = 0xae01
	kvmAPIVersion    = 12

	kvmCheckExtension  = 0xae03
	kvmCapARMVMIPASize = 165
)

const kvmDevice = "/dev/kvm"

// CheckKVM says why this process, or the QEMU that it would start, cannot use
// hardware virtualisation; nil means that it can. A nested host may offer a KVM
// that creates machines and then crawls, so the processor itself must have the
// extension.
func CheckKVM() error {
	flags, err := processorFlags("/proc/cpuinfo")
	if err != nil {
		return err
	}
	device, err := os.OpenFile(kvmDevice, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no /dev/kvm: switch virtualisation on in the firmware, and load kvm_intel or kvm_amd")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("this user may not open /dev/kvm: usermod -aG kvm USER")
	case err != nil:
		return err
	}
	defer device.Close()
	if len(flags) > 0 && !slices.Contains(flags, "vmx") && !slices.Contains(flags, "svm") {
		return errors.New("there is /dev/kvm, but the processor has neither vmx nor svm: switch (nested) virtualisation on for this machine")
	}
	version, err := unix.IoctlRetInt(int(device.Fd()), kvmGetAPIVersion)
	if err != nil || version != kvmAPIVersion {
		return fmt.Errorf("/dev/kvm speaks version %d of its interface, not %d (%v)", version, kvmAPIVersion, err)
	}
	vm, err := createVM(device)
	if err != nil {
		return fmt.Errorf("/dev/kvm creates no machine: %w", err)
	}
	unix.Close(vm)
	return checkKVMUser()
}

// createVM makes a machine with as many bits of address as the host has: aarch64's
// KVM else takes 40, which some of its processors have not. Elsewhere it knows of
// no such bound, and of no other kind of machine either: both are 0.
func createVM(device *os.File) (vm int, err error) {
	bits, _, errno := unix.Syscall(unix.SYS_IOCTL, device.Fd(), kvmCheckExtension, kvmCapARMVMIPASize)
	if errno != 0 {
		return 0, errno
	}
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, device.Fd(), kvmCreateVM, bits)
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}

// processorFlags are those of the first processor in a file like /proc/cpuinfo of
// x86_64; aarch64's has none.
func processorFlags(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if name, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(name) == "flags" {
			return strings.Fields(value), nil
		}
	}
	return nil, lines.Err()
}
