package embed

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/internal/lockfile"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema/diag"
)

// The embedded driver is libvirt's QEMU driver inside this very process: it
// needs no daemon and no root, and has no nwfilter (libvirt's "QEMU driver"
// page, "Embedded driver"). One process at a time may use a root folder of it.
const maxRoots = 1024

// Driver is this process's connection to the embedded driver, if it has one.
type Driver struct {
	Folder    state.Folder
	Log       func(line string) // is told what takes long
	Tetherers []string          // the program that calls Tether, and its arguments; none: a machine may outlive this process

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

// Close ends the connection. The root folder stays this process's.
func (e *Driver) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conn != nil {
		e.conn.Close()
		e.conn = nil
		unix.Umask(e.umask)
	}
}

// roots are the root folders that are this process's, locked, by their state folders.
var roots struct {
	sync.Mutex
	of map[state.Folder]*os.File
}

// ownRoot gives this process's root folder, by the file in it that is locked. It stays so
// until the process ends: as long does libvirt's driver keep a lock of its own in there,
// whatever is closed, and nobody else's can begin.
func ownRoot(folder state.Folder) (*os.File, error) {
	roots.Lock()
	defer roots.Unlock()
	if root := roots.of[folder]; root != nil {
		return root, nil
	}
	root, err := takeRoot(folder)
	if err != nil {
		return nil, err
	}
	if roots.of == nil {
		roots.of = map[state.Folder]*os.File{}
	}
	roots.of[folder] = root
	return root, nil
}

// takeRoot finds a root folder that no other process uses, or makes one. It is
// this process's while the file is open.
func takeRoot(folder state.Folder) (lock *os.File, err error) {
	if _, err := folder.Make(state.Embed, state.EmbedCache); err != nil {
		return nil, err
	}
	for i := range maxRoots {
		dir := folder.Path(state.Embed, strconv.Itoa(i))
		if _, err := folder.Make(state.Embed, strconv.Itoa(i), state.EmbedConfig); err != nil {
			return nil, err
		}
		lock, err = lockfile.Open(filepath.Join(dir, ".lock"))
		if err != nil {
			return nil, err
		}
		free, err := lockfile.Try(lock, lockfile.Exclusive)
		if free {
			err = fillRoot(dir)
		}
		if free && err == nil {
			return lock, nil
		}
		lock.Close()
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("all %d folders in %s are in use", maxRoots, folder.Path(state.Embed))
}

// fillRoot makes the folder of a driver that has begun nothing yet. What the one before has
// left of its machines goes: it was killed, or ended before it saw the end of one.
func fillRoot(dir string) error {
	if err := clearRoot(dir); err != nil {
		return err
	}
	config, err := config()
	if err != nil {
		return err
	}
	if err := hostfile.WriteAtomic(filepath.Join(dir, state.EmbedConfig, "qemu.conf"), config, 0o644); err != nil {
		return err
	}
	err = os.Symlink("../"+state.EmbedCache, filepath.Join(dir, state.EmbedCache))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// clearRoot removes what drivers make in their folder, through no link.
func clearRoot(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, made := range []string{"lib", "log", "run"} {
		if err := root.RemoveAll(made); err != nil {
			return err
		}
	}
	return nil
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
