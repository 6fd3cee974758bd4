package rootsockets

import (
	"strings"
	"testing"
)

func TestIn(t *testing.T) {
	for path, want := range map[string]string{
		"/run/docker.sock":             "dockerd listens at /run/docker.sock, and who may speak with it is as good as root on the host",
		"/var/run/docker.sock":         "dockerd listens at /run/docker.sock",
		"/run/containerd":              "containerd listens at /run/containerd/containerd.sock",
		"/run/dbus":                    "the system bus, with systemd on it, listens at /run/dbus/system_bus_socket",
		"/run/libvirt/libvirt-sock-ro": "libvirtd listens at /run/libvirt",
		"/var/run":                     "dockerd",
		"/":                            "dockerd",
		"/run/docker.sockets":          "",
		"/run/postgresql":              "",
		"/run/systemd/journal/socket":  "",
		"/var/running":                 "",
		"":                             "",
	} {
		if got := In(path); got != want && (want == "" || !strings.HasPrefix(got, want)) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
