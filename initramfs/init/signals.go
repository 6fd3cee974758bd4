package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/sbx-dev/sbx/initramfs/init/agent"
)

// stopOnSignals does what libvirt asks of a container's first process with a
// signal: virDomainShutdown sends SIGTERM, virDomainReboot SIGHUP (libvirt's
// lxc_driver.c, where there is no /dev/initctl), and virDomainDestroy SIGTERM to
// every process, then SIGKILL. A power failure is SIGPWR by old custom, and so is a
// machine's power button.
func stopOnSignals(a *agent.Agent) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGPWR, syscall.SIGHUP)
	go func() {
		for s := range signals {
			do := a.StopBySignal
			if s == syscall.SIGHUP {
				do = a.Restart
			}
			go func() { _ = do(context.Background()) }() // nobody is there to be told
		}
	}()
}
