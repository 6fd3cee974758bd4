package embed

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Driver is this process's connection to the embedded driver, if it has one: libvirt's
// QEMU driver inside this very process, which needs no daemon and no root, and has no
// nwfilter (libvirt's "QEMU driver" page, "Embedded driver").
type Driver struct {
	Folder    state.Folder
	Log       func(line string) // is told what takes long
	Tetherers []string          // the program that calls Tether, and its arguments; none: a machine may outlive this process, until the next one connects

	mu    sync.Mutex
	conn  *libvirt.Connect
	root  *os.File // locked
	umask int      // this process's own, while there is a connection
}

func (e *Driver) Connect() (*libvirt.Connect, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conn != nil {
		return e.conn, nil
	}
	root, err := ownRoot(e.Folder)
	if err != nil {
		return nil, fmt.Errorf("libvirt's embedded driver: %w", err)
	}
	if err := ClearFree(e.Folder); err != nil { // which keeps nobody from running a machine
		e.Log(fmt.Sprintf("something of an interrupted sbx run stays: %v", err))
	}
	if err := runEvents(); err != nil {
		return nil, fmt.Errorf("libvirt's event loop: %w", virt.Plain(err))
	}
	// The driver makes its folders by this process's umask, and QEMU's user has to
	// pass through them. All that sbx makes itself has a mode of its own, and once the
	// connection is closed the process has its own umask again.
	umask := unix.Umask(0o022)
	uri := url.URL{Scheme: "qemu", Path: "/embed", RawQuery: url.Values{"root": {filepath.Dir(root.Name())}}.Encode()}
	conn, err := libvirt.NewConnect(uri.String())
	if err != nil {
		unix.Umask(umask)
		return nil, fmt.Errorf("libvirt's embedded driver: %w", virt.Plain(err))
	}
	if err := os.MkdirAll(filepath.Join(Logs(filepath.Dir(root.Name())), "qemu"), 0o755); err != nil { // Close may have removed it
		conn.Close()
		unix.Umask(umask)
		return nil, fmt.Errorf("libvirt's embedded driver: %w", err)
	}
	enterRoot(e.Folder)
	e.conn, e.root, e.umask = conn, root, umask
	return conn, e.probe(conn)
}

// Is says whether conn is this connection.
func (e *Driver) Is(conn *libvirt.Connect) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.conn != nil && e.conn == conn
}

// Taken says whether there is this connection.
func (e *Driver) Taken() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.conn != nil
}

// Dir is the driver's root folder.
func (e *Driver) Dir() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return filepath.Dir(e.root.Name())
}

// Close ends the connection. The root folder stays this process's. The driver goes on, and
// writes the end of a machine that nobody has waited for into a log of which nobody would
// ever ask: without its folder, it cannot.
func (e *Driver) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conn != nil {
		e.conn.Close()
		e.conn = nil
		if logs := Logs(filepath.Dir(e.root.Name())); leaveRoot(e.Folder) && os.RemoveAll(logs) != nil {
			_ = os.RemoveAll(logs) // it has written meanwhile; what stays all the same, the next process clears
		}
		unix.Umask(e.umask)
	}
}

// config is libvirt's qemu.conf. QEMU's own output goes to a file rather than
// through virtlogd, a daemon; and whatever libvirt starts without asking whom to
// run as is not root, either.
func config() ([]byte, error) {
	config := []byte("stdio_handler = \"file\"\n")
	if os.Geteuid() != 0 {
		return config, nil
	}
	account, err := qemu.FindAccount()
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(config, "user = \"+%d\"\ngroup = \"+%d\"\n", account.Shared.UID, account.Shared.GID), nil
}

// runEvents runs libvirt's event loop, without which the embedded driver does
// not speak with QEMU. It cannot be ended.
var runEvents = sync.OnceValue(func() error {
	if err := libvirt.EventRegisterDefaultImpl(); err != nil {
		return err
	}
	go func() {
		for libvirt.EventRunDefaultImpl() == nil {
		}
	}()
	return nil
})

// Check refuses what the embedded driver cannot do, rather than do
// without it.
func Check(d *libvirtxml.Domain) error {
	const help = "libvirt's embedded driver, which runs machines where no libvirtd can be used, cannot"
	switch {
	case len(d.Devices.Interfaces) > 0:
		return fault.New(diag.Embedded, "%s attach or filter a network: start libvirtd and run sbx as root, or leave the network out", help)
	case os.Geteuid() == 0:
		return nil
	case d.CPUTune != nil && (d.CPUTune.GlobalQuota != nil || d.CPUTune.Shares != nil):
		return fault.New(diag.Embedded, "%s bound processor time without root: give resources: cpus a whole number and no cpuWeight", help)
	case d.BlockIOTune != nil:
		return fault.New(diag.Embedded, "%s weigh disk access without root: leave resources: ioWeight out", help)
	}
	return nil
}
