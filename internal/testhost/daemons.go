package testhost

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// shipped are the files of the distribution's libvirt that the host keeps:
// filters and a network as every new machine has them. What the machine itself
// has defined is not among them.
var shipped = map[string]string{
	"/etc/libvirt/nwfilter":                   "/etc/libvirt/nwfilter",
	"/usr/share/libvirt/networks/default.xml": "/etc/libvirt/qemu/networks/default.xml",
}

// config are the host's configuration files. QEMU runs as root, and without a
// mount namespace of its own, so that it works without a systemd beside it.
var config = map[string]string{
	"/etc/libvirt/libvirtd.conf": "auth_unix_rw = \"none\"\nlog_outputs = \"3:file:" + DaemonLog + "\"\n",
	"/etc/libvirt/virtlogd.conf": "",
	"/etc/libvirt/qemu.conf":     "user = \"root\"\ngroup = \"root\"\nsecurity_driver = \"none\"\nnamespaces = []\n",
	"/etc/libvirt/lxc.conf":      "security_driver = \"none\"\n",
	"/etc/libvirt/network.conf":  "",
}

// kept is where the shipped files are while the machine's folders are hidden.
const kept = "/run/testhost-shipped"

// keepShipped copies the shipped files, before they are hidden.
func keepShipped() error {
	for from := range shipped {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(kept, from)), 0o755); err != nil {
			return err
		}
		if err := copyTree(from, filepath.Join(kept, from)); err != nil {
			return err
		}
	}
	return nil
}

// writeConfig makes /etc/libvirt that of a machine on which libvirt has just been
// installed.
func writeConfig() error {
	for from, to := range shipped {
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := copyTree(filepath.Join(kept, from), to); err != nil {
			return err
		}
	}
	for path, text := range config {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	const network = "/etc/libvirt/qemu/networks/default.xml"
	auto := "/etc/libvirt/qemu/networks/autostart"
	if err := os.Mkdir(auto, 0o755); err != nil {
		return err
	}
	return os.Symlink(network, filepath.Join(auto, "default.xml"))
}

// copyTree copies a file, or a folder of files, that the machine may not have.
func copyTree(from, to string) error {
	info, err := os.Stat(from)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return os.CopyFS(to, os.DirFS(from))
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// daemon is a program that the host keeps running.
type daemon struct {
	argv []string
	log  string
}

// startDaemons starts virtlogd and libvirtd and waits until libvirtd answers.
// The result is by pid.
func startDaemons() (map[int]daemon, error) {
	running := map[int]daemon{}
	for _, d := range []daemon{
		{[]string{"virtlogd"}, "/var/log/libvirt/virtlogd.out"},
		{[]string{"libvirtd"}, "/var/log/libvirt/libvirtd.out"},
	} {
		pid, err := d.start()
		if err != nil {
			return nil, err
		}
		running[pid] = d
	}
	return running, waitForSocket(running)
}

func (d daemon) start() (int, error) {
	path, err := exec.LookPath(d.argv[0])
	if err != nil {
		return 0, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	out, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	p, err := os.StartProcess(path, d.argv, &os.ProcAttr{Dir: "/", Files: []*os.File{null, out, out}})
	if err != nil {
		return 0, err
	}
	return p.Pid, nil
}

// waitForSocket waits until libvirtd accepts connections. A daemon that ends
// meanwhile is an error that shows its words.
func waitForSocket(running map[int]daemon) error {
	const limit = 3 * time.Minute
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("unix", Socket); err == nil {
			return c.Close()
		}
		var status syscall.WaitStatus
		pid, _ := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if d, ok := running[pid]; ok {
			out, _ := os.ReadFile(d.log)
			log, _ := os.ReadFile(DaemonLog)
			return fmt.Errorf("%s ended with code %d:\n%s%s", d.argv[0], exitCode(status), out, log)
		}
	}
	log, _ := os.ReadFile(DaemonLog)
	return fmt.Errorf("libvirtd did not answer within %v; its log:\n%s", limit, log)
}
