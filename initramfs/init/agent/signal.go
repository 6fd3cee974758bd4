package agent

import (
	"syscall"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
)

// lastSignal is the kernel's (signal(7)).
const lastSignal = 64

// signal signals the sandbox's own command.
func (a *Agent) signal(signal syscall.Signal) error {
	if signal < 1 || signal > lastSignal {
		return &channel.Failure{Reason: channel.ReasonRefused, Message: "there is no such signal"}
	}
	p := a.running()
	if p == nil {
		return &channel.Failure{Reason: channel.ReasonRefused, Message: "its command does not run now: sbx ps shows its state"}
	}
	a.table.Signal(p, signal)
	return nil
}

// running is the sandbox's own command; nil while there is none.
func (a *Agent) running() *proc.Process {
	if a.service != nil {
		return a.service.Running()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.own
}
