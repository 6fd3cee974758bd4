package lab

import (
	"os"
	"slices"
	"strings"
)

// What QEMU emulates processors with: each in a thread of its own, or, slower, all in
// one, so that none changes code that another is about to run.
const (
	emulated = "tcg,thread=multi,tb-size=512"
	inTurns  = "tcg,thread=single,tb-size=512"
)

// accelerator is QEMU's -accel for this machine. KVM is used where the processor
// has the extension: a nested host may have a /dev/kvm that crawls.
func accelerator() string {
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
