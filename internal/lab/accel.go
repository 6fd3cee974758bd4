package lab

import (
	"os"
	"slices"
	"strings"
)

// accelerator is QEMU's -accel for this machine. KVM is used where the processor
// has the extension: a nested host may have a /dev/kvm that crawls.
func accelerator() string {
	const emulated = "tcg,thread=multi,tb-size=512"
	device, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return emulated
	}
	device.Close()
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return emulated
	}
	words := strings.Fields(string(info))
	if slices.Contains(words, "vmx") || slices.Contains(words, "svm") {
		return "kvm"
	}
	return emulated
}
