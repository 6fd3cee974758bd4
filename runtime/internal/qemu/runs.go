package qemu

import "github.com/sbx-dev/sbx/runtime/internal/proc"

// Runs says whether a process is the QEMU that libvirt has started for the named machine:
// one that has got its id since is not.
func Runs(pid int, machine string) bool { return proc.HasArgument(pid, "guest="+machine+",") }
