package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/sbx-dev/sbx/initramfs/init/machine"
	"github.com/sbx-dev/sbx/initramfs/init/network"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/initramfs/orders"
	"github.com/sbx-dev/sbx/internal/ulimits"
)

// leaveLimit is how long a host may take to fetch the last bytes from a machine.
const leaveLimit = 10 * time.Second

// runMachine runs a machine from its kernel's start to its end. It returns only
// where the machine cannot even be switched off.
func runMachine() error {
	err := serveMachine()
	return errors.Join(err, machine.PowerOff())
}

// serveMachine brings the channel up first, so that whatever goes wrong from
// there on can be told to the host.
func serveMachine() error {
	broken := machine.Boot()
	keys, err := machine.OpenKeys()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbx-init: the machine's keys:", err)
	}
	port, err := machine.OpenPort(manifest.PortName)
	if err != nil {
		return errors.Join(broken, err)
	}
	m, err := readManifest()
	if broken == nil {
		broken = beginMachine(keys)
	}
	if errors.Is(err, fs.ErrNotExist) {
		m, err = awaitManifest(port)
	}
	if err != nil {
		return errors.Join(broken, err)
	}
	if m.Service {
		port.Outlive()
	}
	var group *os.File
	var ears ears
	if broken == nil {
		group, ears, broken = setUpMachine(m)
	}
	supervise(m, links{one: port}, group, ears, broken)
	port.AwaitLeave(leaveLimit)
	return machine.SettleImages(m.Mounts)
}

// awaitManifest is how a machine gets its manifest whose initrd holds none. Between its
// wait and its orders it may have been saved, and restored at any time as one of many.
func awaitManifest(port *machine.Port) (*manifest.Manifest, error) {
	o, err := orders.Await(port)
	if err != nil {
		return nil, err
	}
	if err := machine.Renew(o.Time, o.Seed); err != nil {
		return nil, err
	}
	return manifest.Decode(o.Manifest)
}

// beginMachine does what is the same in every machine. It comes before the manifest is
// awaited, so that a saved machine has it behind it.
func beginMachine(keys machine.Keys) error {
	if err := machine.BeginRoot(); err != nil {
		return err
	}
	listenForPowerButton(keys)
	return network.Loopback()
}

// setUpMachine does what the host does for a container. The control group is
// the commands'.
func setUpMachine(m *manifest.Manifest) (*os.File, ears, error) {
	if err := machine.Assemble(m); err != nil {
		return nil, ears{}, err
	}
	if err := network.Configure(m.Interfaces); err != nil {
		return nil, ears{}, err
	}
	if m.Ping {
		if err := network.OpenPing(); err != nil {
			return nil, ears{}, err
		}
	}
	if err := machine.SetSysctls(m.Sysctls); err != nil {
		return nil, ears{}, err
	}
	if err := ulimits.Raise(0, m.Run.Limits); err != nil {
		return nil, ears{}, err
	}
	group, err := machine.LimitProcesses(m.Run.Pids)
	if err != nil {
		return nil, ears{}, err
	}
	e, err := listen(m) // before nothing more can be made
	if err != nil {
		return group, e, err
	}
	return group, e, machine.Seal()
}

// listenForPowerButton makes the power button the signal that a container gets in its
// place. A machine whose button nobody hears runs all the same.
func listenForPowerButton(keys machine.Keys) {
	err := machine.ListenForPowerButton(keys, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGPWR) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbx-init:", err)
	}
}
