// Package rootsockets knows the sockets of a host at which something listens that does as
// root what it is asked, so that whoever may speak with it is as good as root.
package rootsockets

import (
	"fmt"
	"strings"

	"github.com/sbx-dev/sbx/internal/within"
)

// listeners are where Debian and the projects themselves have these sockets.
var listeners = []struct{ socket, who string }{
	{"/run/docker.sock", "dockerd"},
	{"/run/containerd/containerd.sock", "containerd"},
	{"/run/k3s/containerd/containerd.sock", "containerd"},
	{"/run/podman/podman.sock", "podman"},
	{"/run/crio/crio.sock", "CRI-O"},
	{"/run/buildkit/buildkitd.sock", "buildkitd"},
	{"/run/libvirt", "libvirtd"},
	{"/var/lib/incus/unix.socket", "incusd"},
	{"/var/lib/lxd/unix.socket", "lxd"},
	{"/var/snap/lxd/common/lxd/unix.socket", "lxd"},
	{"/run/snapd.socket", "snapd"},
	{"/run/systemd/private", "systemd"},
	{"/run/dbus/system_bus_socket", "the system bus, with systemd on it,"},
	{"/run/udev/control", "udevd"},
}

// In says who of these listens at a path of the host or below it, and what that means;
// "" where none is known to.
func In(path string) string {
	if rest, ok := strings.CutPrefix(path, "/var/run"); ok && (rest == "" || rest[0] == '/') {
		path = "/run" + rest
	}
	for _, l := range listeners {
		if path != "" && (within.Dir(l.socket, path) || within.Dir(path, l.socket)) {
			return fmt.Sprintf("%s listens at %s, and who may speak with it is as good as root on the host", l.who, l.socket)
		}
	}
	return ""
}
