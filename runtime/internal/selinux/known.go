package selinux

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/internal/mac"
)

// ContainerType is what containers' processes are in sbx's module. libvirt's own of
// Debian's policy may run nothing of the host's.
const ContainerType = "sbx_container_t"

// HasModule says whether the policy has sbx's module.
func HasModule(host mac.Host) bool {
	return host.KnowsContext("system_u:system_r:" + ContainerType + ":s0")
}

// UnknownOfContainers is the context of what libvirt mounts in containers where the
// policy does not know it, as Debian 12's without sbx's module; none is empty.
func UnknownOfContainers(host mac.Host) string {
	policy := value(host, "etc/selinux/config", "SELINUXTYPE")
	mounted := value(host, filepath.Join("etc/selinux", policy, "contexts/lxc_contexts"), "file")
	if mounted == "" || host.KnowsContext(mounted) {
		return ""
	}
	return mounted
}

// value is what a file of lines 'KEY=value', or 'KEY = "value"', has for a key.
func value(host mac.Host, file, key string) string {
	f, err := os.Open(filepath.Join(string(host), file))
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if k, v, _ := strings.Cut(lines.Text(), "="); strings.TrimSpace(k) == key {
			return strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return ""
}
