// Command init (sbx-init) is the first process of every sandbox. It sets up what
// libvirt or the kernel leave open, runs the sandbox's command, reaps what dies,
// and serves the host over the channel.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/init/agent"
	"github.com/sbx-dev/sbx/initramfs/init/cover"
	"github.com/sbx-dev/sbx/initramfs/init/limited"
	"github.com/sbx-dev/sbx/initramfs/init/machine"
	"github.com/sbx-dev/sbx/initramfs/init/meminfo"
	"github.com/sbx-dev/sbx/initramfs/init/network"
	"github.com/sbx-dev/sbx/initramfs/init/notify"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
	"github.com/sbx-dev/sbx/initramfs/init/syslog"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/syscalls"
	"github.com/sbx-dev/sbx/internal/ulimits"
)

func main() {
	limited.Execute(os.Args)
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "sbx-init:", err)
		os.Exit(1)
	}
}

func run() error {
	if os.Getpid() != 1 {
		return errors.New("this is the first process of a sandbox; sbx starts it")
	}
	if machine.Here() {
		return runMachine()
	}
	if err := leaveConsole(); err != nil {
		return err
	}
	m, err := readManifest()
	if err != nil {
		return err
	}
	links, err := openChannel()
	if err != nil {
		return err
	}
	broken := setUpContainer(m)
	ears, err := listen(m)
	supervise(m, links, nil, ears, cmp.Or(broken, err))
	return nil
}

// stage is where files are made that are mounted elsewhere: every sandbox has the
// folder, and nothing uses it yet.
const stage = "/dev/shm"

// setUpContainer does what libvirt's domain XML has no place for.
func setUpContainer(m *manifest.Manifest) error {
	if m.Ping {
		if err := network.OpenPing(); err != nil {
			return err
		}
	}
	if err := cover.Apply(stage); err != nil {
		return err
	}
	if err := meminfo.Cover(); err != nil { // what does not depend on it runs all the same
		fmt.Fprintln(os.Stderr, "sbx-init:", err)
	}
	if err := openDevices(m.Devices); err != nil {
		return err
	}
	return setModes(m.Mounts)
}

// ears are the sockets at which the service is heard.
type ears struct {
	log     *syslog.Messages // nil where there is no log
	notices *notify.Socket   // nil where the service is asked for none
}

// listen makes them. A service that nobody would hear say that it is ready never is.
func listen(m *manifest.Manifest) (e ears, err error) {
	e.log = listenForLog(m)
	if m.Service && m.Run.Ready != nil && m.Run.Ready.Notify {
		if e.notices, err = notify.Listen(notify.Path); err != nil {
			return e, fmt.Errorf("cannot hear when the service is ready: %w", err)
		}
	}
	return e, nil
}

// listenForLog makes the socket of syslog(3) where there is a log. A service that needs
// none runs all the same.
func listenForLog(m *manifest.Manifest) *syslog.Messages {
	if !m.Service {
		return nil
	}
	messages, err := syslog.Listen(syslog.Path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbx-init: what is written by syslog is lost:", err)
		return nil
	}
	return messages
}

func readManifest() (*manifest.Manifest, error) {
	data, err := os.ReadFile(manifest.ManifestPath)
	if err != nil {
		return nil, err
	}
	return manifest.Decode(data)
}

// supervise runs the sandbox to its end, its commands in the control group if
// there is one, and what they say heard. broken is what went wrong while it was set up: nothing runs then,
// and hosts are told.
func supervise(m *manifest.Manifest, links links, group *os.File, ears ears, broken error) {
	table := proc.NewTable()
	a := agent.New(m, table, killAll)
	a.Log(ears.log)
	a.Hear(ears.notices)
	if links.listener != nil && bounded(m) {
		a.AwaitHost()
	}
	stopOnSignals(a)
	if broken = cmp.Or(broken, setUp(m, table, group)); broken == nil {
		broken = a.OpenDisplay()
	}
	a.Start(broken)
	go links.serve(a)
	<-a.Ended()
	if links.any() {
		a.Farewell()
	}
	killAll()
}

// bounded says whether a container's command would be without bounds, or settings, that
// the host sets when the container has started: it takes the control groups back, raises
// limits, and reaches what is read-only inside.
func bounded(m *manifest.Manifest) bool {
	within, err := ulimits.Within(m.Run.Limits)
	return err != nil || !within || len(m.Sysctls) > 0 || syscalls.Open(m.Run.Syscalls, "mount")
}

// setUp makes the sandbox what the manifest says, as far as nobody else has,
// and gives up every privilege that the command must not get.
func setUp(m *manifest.Manifest, table *proc.Table, group *os.File) error {
	if err := setHostname(m.Hostname); err != nil {
		return err
	}
	if err := network.Await(m.Interfaces); err != nil {
		return err
	}
	if err := network.Lease(m.Interfaces); err != nil {
		return err
	}
	syscall.Umask(int(m.Run.Umask))
	return confine(m, table, group)
}

// setHostname is for machines, and for containers whose name is not what
// libvirt has called them already.
func setHostname(name string) error {
	if now, err := os.Hostname(); name == "" || err == nil && now == name {
		return nil
	}
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("cannot set the host name %s: %w", name, err)
	}
	return nil
}

// killAll ends every process but this one: all that a first process may signal.
func killAll() { _ = syscall.Kill(-1, syscall.SIGKILL) }
