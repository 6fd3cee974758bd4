package kvm

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/initramfs/boot"
	"github.com/sbx-dev/sbx/initramfs/orders"
	"github.com/sbx-dev/sbx/internal/spans"
	"github.com/sbx-dev/sbx/internal/splice"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/runtime/internal/saved"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// The kinds of what the cache has of saved machines.
const (
	savedKind = "machine"         // one that waits for its orders, as virDomainSave has written it
	onceKind  = "machine-started" // nothing: one of the kind has started once
)

// waiting is what has been placed for a machine that may start from a saved one.
type waiting struct {
	of      *bound.Sandbox // nil: for none
	builder *boot.Builder
	initrd  *boot.Initrd
}

// warm is a machine that may start from a saved one.
type warm struct {
	backend
	s    *bound.Sandbox
	conn *libvirt.Connect
	text string // the domain's XML
	key  string // of the saved machine

	library uint32 // libvirt's version
}

// How long a machine may take to boot until it waits for its orders, and a restored one to
// take them. Emulated on a busy host, that is a matter of seconds.
const (
	waitsLimit = 5 * time.Minute
	takenLimit = 2 * time.Minute
)

// mayBeSaved says whether a machine can be saved while it waits for its orders, and be
// restored as another one. libvirt restores no machine that ends with a connection; one
// that a profile of AppArmor's holds may not read the file; a network interface has the
// address that it was saved with; and a guest keeps in mind what it has once seen of a disk.
func (k backend) mayBeSaved(s *bound.Sandbox) bool {
	return !k.host.Cold && k.host.Embed.Taken() && s.Confinement == nil &&
		len(s.Domain.Devices.Interfaces) == 0 && len(s.Domain.Devices.Disks) == 0
}

// placeBlank places the initrd with which a machine waits for its orders; its own one is
// made only where it is to boot with that.
func (k backend) placeBlank(ctx context.Context, s *bound.Sandbox, builder *boot.Builder) error {
	initrd, err := builder.Initrd(s.Manifest.Modules)
	if err != nil {
		return err
	}
	*k.waiting = waiting{s, builder, initrd}
	return initrd.PlaceBlank(ctx, initrdOf(s))
}

// startWarm starts a machine from a saved one; dom is nil where there is none, and it is
// to start as any other. The first machine of a kind leaves a note, the second one is
// saved on its way, and all others are restored.
func (k backend) startWarm(ctx context.Context, s *bound.Sandbox, conn *libvirt.Connect, text string) (dom *libvirt.Domain, channel net.Conn, err error) {
	w := &warm{backend: k, s: s, conn: conn, text: text}
	if err := w.identify(); err != nil {
		return nil, nil, err
	}
	before, err := k.waiting.builder.Cache.Note(ctx, onceKind, w.key)
	if !before || err != nil {
		return nil, nil, err
	}
	dom, channel, err = w.start(ctx)
	if err == nil || ctx.Err() != nil {
		return dom, channel, err
	}
	return nil, nil, w.giveUp(ctx, err)
}

// identify finds out what a saved machine depends on beyond its domain and its walls.
func (w *warm) identify() error {
	kernel, err := w.waiting.builder.KernelKey()
	if err != nil {
		return err
	}
	if w.library, err = w.conn.GetLibVersion(); err != nil {
		return virt.Plain(err)
	}
	emulator, err := qemu.Identify(w.s.Arch)
	if err != nil {
		return err
	}
	w.key, err = saved.Key(w.s.Domain, w.s.Manifest, kernel, w.waiting.initrd.Key, fmt.Sprint(w.library), emulator)
	return err
}

// start gets the saved machine, which is made where there is none yet, and restores it.
func (w *warm) start(ctx context.Context) (*libvirt.Domain, net.Conn, error) {
	image := filepath.Join(w.s.Dir, state.Boot, "saved")
	defer os.Remove(image)
	if err := w.waiting.builder.Cache.Place(ctx, savedKind, w.key, image, func(to io.Writer) error { return w.save(ctx, to) }); err != nil {
		return nil, nil, fmt.Errorf("it cannot be saved: %w", err)
	}
	dom, channel, err := w.restore(ctx, image)
	if err != nil {
		return nil, nil, fmt.Errorf("a saved machine cannot be restored: %w", err)
	}
	return dom, channel, nil
}

// save boots the machine and writes it out when it waits for its orders.
func (w *warm) save(ctx context.Context, to io.Writer) (err error) {
	dom, err := w.conn.DomainCreateXML(w.text, 0)
	if err != nil {
		return virt.Plain(err)
	}
	defer dom.Free()
	defer func() {
		if err != nil {
			err = errors.Join(err, virt.Stop(dom))
		}
	}()
	port, err := w.meet()
	if err != nil {
		return err
	}
	defer port.Close()
	defer context.AfterFunc(ctx, func() { port.Close() })()
	if err := port.SetReadDeadline(time.Now().Add(waitsLimit)); err != nil {
		return err
	}
	if err := orders.Waits(port); err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	file := filepath.Join(w.s.Dir, state.Boot, "saving")
	defer os.Remove(file)
	if err := dom.Save(file); err != nil {
		return virt.Plain(err)
	}
	return copyFrom(to, file)
}

// restore has the saved machine become this one.
func (w *warm) restore(ctx context.Context, image string) (*libvirt.Domain, net.Conn, error) {
	if err := w.become(ctx, image); err != nil {
		return nil, nil, err
	}
	defer spans.Begin(ctx, "orders")()
	dom, err := virt.Lookup(w.conn, w.s.Name)
	if dom == nil || err != nil {
		return nil, nil, cmp.Or(err, errGone)
	}
	port, err := w.meet()
	if err == nil {
		err = w.order(ctx, port)
	}
	if err == nil {
		return dom, port, nil
	}
	if port != nil {
		port.Close()
	}
	err = errors.Join(err, virt.Stop(dom))
	dom.Free()
	return nil, nil, err
}

var errGone = errors.New("it has ended at once")

// meet has the machine end with this process, and connects to its port.
func (w *warm) meet() (net.Conn, error) {
	if err := w.host.Embed.Tether(w.s.Name); err != nil {
		return nil, err
	}
	return hostfile.DialUnix(filepath.Join(w.s.Dir, state.Channel))
}

// order gives a machine that waits its orders.
func (w *warm) order(ctx context.Context, port net.Conn) error {
	told, err := w.s.Manifest.Encode()
	if err != nil {
		return err
	}
	seed := make([]byte, orders.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { port.Close() })()
	if err := port.SetDeadline(time.Now().Add(takenLimit)); err != nil {
		return err
	}
	if err := orders.Give(port, &orders.Orders{Manifest: told, Time: time.Now().UnixNano(), Seed: seed}); err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	return port.SetDeadline(time.Time{})
}

// giveUp has the machine start as any other, and nobody else try what has failed.
func (w *warm) giveUp(ctx context.Context, why error) error {
	w.host.Log(fmt.Sprintf("the machine starts from nothing, which takes longer: %v", why))
	return w.waiting.builder.Cache.Remove(ctx, savedKind, w.key)
}

// readOnce is the first version of libvirt of which nobody has seen that it reads a saved
// machine in one go, and so may from a pipe: later ones open its file twice.
const readOnce = 10_000_000 // 10.0.0

// become has libvirt restore the saved machine as that of another domain.
func (w *warm) become(ctx context.Context, image string) error {
	file, err := os.Open(image)
	if err != nil {
		return err
	}
	defer file.Close()
	begins, err := saved.Become(file, w.text)
	if err != nil {
		return err
	}
	if w.library >= readOnce {
		return w.fromCopy(ctx, begins, file)
	}
	return w.fromPipe(ctx, begins, file)
}

// fromPipe has libvirt and QEMU read it through a pipe, so that nothing is copied of what
// is as large as the memory that a machine takes to boot.
func (w *warm) fromPipe(ctx context.Context, begins []byte, rest *os.File) error {
	from, to, err := os.Pipe()
	if err != nil {
		return err
	}
	splice.Widen(to)
	fed := make(chan error, 1)
	go func() {
		_, err := to.Write(begins)
		if err == nil {
			err = splice.Into(to, rest)
		}
		fed <- errors.Join(err, to.Close()) // its end is also how libvirt learns of a failure
	}()
	err = w.readBy(ctx, fmt.Sprintf("/proc/self/fd/%d", from.Fd())) // libvirt is in this process
	from.Close()                                                    // what nobody has read is read no more
	if feeding := <-fed; err != nil && !errors.Is(feeding, unix.EPIPE) {
		return errors.Join(feeding, err) // what libvirt says of it is that it ends early
	}
	return err
}

// fromCopy has libvirt read it from a file of its own.
func (w *warm) fromCopy(ctx context.Context, begins []byte, rest *os.File) error {
	name := filepath.Join(w.s.Dir, state.Boot, "restored")
	defer os.Remove(name)
	if err := writeCopy(ctx, name, begins, rest); err != nil {
		return err
	}
	return w.readBy(ctx, name)
}

func writeCopy(ctx context.Context, name string, begins []byte, rest *os.File) error {
	defer spans.Begin(ctx, "copy")()
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = file.Write(begins); err == nil {
		_, err = io.Copy(file, rest)
	}
	return errors.Join(err, file.Close())
}

// readBy has libvirt start QEMU with what it reads there.
func (w *warm) readBy(ctx context.Context, name string) error {
	defer spans.Begin(ctx, "restore")()
	return virt.Plain(w.conn.DomainRestoreFlags(name, "", libvirt.DOMAIN_SAVE_RUNNING))
}

func copyFrom(to io.Writer, file string) error {
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(to, from)
	return err
}
