package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// How long the lab waits for a machine. They end what hangs, and are many times
// what an emulated machine takes on a busy host.
const (
	bootBound     = 20 * time.Minute
	shutdownBound = 10 * time.Minute
	graceBound    = 5 * time.Minute // beyond a step's own bound, which the machine keeps
)

// machine is a host that runs, or that can be started again: its disk stays.
type machine struct {
	image  image
	accel  string        // QEMU's
	append []string      // words of the kernel's command line
	dir    string        // the overlay over the image's disk, and logs
	share  string        // what the machine sees as /lab
	asked  int           // how many scripts it was given
	gone   chan struct{} // closed when QEMU has ended
	why    error         // what QEMU has said then
	end    context.CancelFunc
}

// newMachine makes the disk of a machine in dir, over image's, which stays as it is.
func newMachine(ctx context.Context, img image, kernel []string, dir, share string) (*machine, error) {
	m := &machine{image: img, accel: accelerator(), append: kernel, dir: dir, share: share}
	if err := os.MkdirAll(filepath.Join(share, "q"), 0o755); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", img.disk(), m.disk()).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("qemu-img create: %w: %s", err, out)
	}
	return m, nil
}

func (m *machine) disk() string   { return filepath.Join(m.dir, "disk.qcow2") }
func (m *machine) serial() string { return filepath.Join(m.dir, "serial.log") }
func (m *machine) booted() string { return filepath.Join(m.share, "booted") }

// argv is QEMU's command line.
func (m *machine) argv() []string {
	// panic: QEMU ends with the kernel (-no-reboot), rather than stand there.
	words := append([]string{"root=/dev/vda", "rw", "console=ttyS0", "cryptomgr.notests", "net.ifnames=0", "panic=1"}, m.append...)
	return []string{
		"qemu-system-x86_64", "-M", "q35", "-accel", m.accel, "-cpu", "max", "-smp", "2", "-m", "3G",
		"-nodefaults", "-display", "none", "-no-reboot",
		"-kernel", m.image.kernel(), "-initrd", m.image.initrd(), "-append", strings.Join(words, " "),
		"-drive", "file=" + m.disk() + ",format=qcow2,if=none,id=root,cache=unsafe", "-device", "virtio-blk-pci,drive=root",
		"-fsdev", "local,id=lab,path=" + m.share + ",security_model=none", "-device", "virtio-9p-pci,fsdev=lab,mount_tag=lab",
		"-device", "virtio-rng-pci", "-serial", "file:" + m.serial(),
	}
}

// boot starts the machine and waits until its agent has found its way.
func (m *machine) boot(ctx context.Context) error {
	if err := os.Remove(m.booted()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ctx, m.end = context.WithCancel(ctx)
	m.gone = make(chan struct{})
	go m.hold(ctx)
	err := m.await(ctx, bootBound, func() bool {
		_, err := os.Stat(m.booted())
		return err == nil
	})
	if err != nil {
		return fmt.Errorf("the machine did not boot: %w; the end of its console:\n%s", err, m.console())
	}
	return nil
}

// hold runs QEMU until it ends. The kernel ends QEMU with the thread that has
// started it, so that none stays when the lab is killed: the thread is this one's
// alone.
func (m *machine) hold(ctx context.Context) {
	runtime.LockOSThread()
	argv := m.argv()
	qemu := exec.CommandContext(ctx, argv[0], argv[1:]...)
	qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := qemu.CombinedOutput()
	if len(out) > 0 {
		err = errors.Join(err, errors.New(string(bytes.TrimSpace(out))))
	}
	m.why = err
	close(m.gone)
}

// errGone: QEMU has ended.
var errGone = errors.New("it is off")

// await waits until done, at most for bound, and no longer than the machine runs.
func (m *machine) await(ctx context.Context, bound time.Duration, done func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, bound, fmt.Errorf("nothing for %v", bound))
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-m.gone:
			return errors.Join(errGone, m.why)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}

// run has bash run a script in the machine, for at most bound, and gives what it
// printed and its exit code: 124 where the bound has ended it.
func (m *machine) run(ctx context.Context, script string, bound time.Duration) (out []byte, code int, err error) {
	m.asked++
	name := filepath.Join(m.share, "q", fmt.Sprint(m.asked))
	if err := os.WriteFile(name+".step", []byte(script), 0o644); err != nil {
		return nil, 0, err
	}
	wrapper := fmt.Sprintf("exec timeout -k 30 %d bash -eu -o pipefail /lab/q/%d.step\n", int(bound.Seconds()), m.asked)
	if err := place(name+".sh", wrapper); err != nil {
		return nil, 0, err
	}
	defer os.Remove(name + ".sh") // a machine that boots again would run it again
	err = m.await(ctx, bound+graceBound, func() bool {
		_, err := os.Stat(name + ".rc")
		return err == nil
	})
	out, _ = os.ReadFile(name + ".out")
	if err != nil {
		return out, 0, err
	}
	text, err := os.ReadFile(name + ".rc")
	if err != nil {
		return out, 0, err
	}
	_, err = fmt.Sscan(string(text), &code)
	return out, code, err
}

// place writes a file that the machine sees only when it is whole.
func place(name, text string) error {
	if err := os.WriteFile(name+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// reboot shuts the machine down as systemctl reboot does, and boots it again.
func (m *machine) reboot(ctx context.Context) error {
	if _, _, err := m.run(ctx, "systemctl --no-block reboot", time.Minute); err != nil && !errors.Is(err, errGone) {
		return err
	}
	never := func() bool { return false }
	if err := m.await(ctx, shutdownBound, never); !errors.Is(err, errGone) {
		return fmt.Errorf("the machine did not shut down: %w; the end of its console:\n%s", err, m.console())
	}
	m.end()
	return m.boot(ctx)
}

// off ends the machine at once.
func (m *machine) off() {
	if m.end != nil {
		m.end()
		<-m.gone
	}
}

// isOff reports whether QEMU has ended, or was never started.
func (m *machine) isOff() bool {
	if m.gone == nil {
		return true
	}
	select {
	case <-m.gone:
		return true
	default:
		return false
	}
}

// panicked reports whether the machine's kernel has given up.
func (m *machine) panicked() bool {
	text, err := os.ReadFile(m.serial())
	return err == nil && bytes.Contains(text, []byte("Kernel panic - not syncing"))
}

// console is the end of what the machine has said on its console.
func (m *machine) console() string {
	text, err := os.ReadFile(m.serial())
	if err != nil {
		return err.Error()
	}
	const end = 3000
	return string(text[max(0, len(text)-end):])
}
