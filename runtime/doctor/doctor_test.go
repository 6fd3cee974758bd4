package doctor

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/schema"
)

// hostWith is a host whose files are these.
func hostWith(t *testing.T, files map[string]string) host {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return host{root: root}
}

func TestProbes(t *testing.T) {
	const v4, v6 = "proc/sys/net/bridge/bridge-nf-call-iptables", "proc/sys/net/bridge/bridge-nf-call-ip6tables"
	for _, c := range []struct {
		name  string
		probe probe
		files map[string]string
		want  State
		found string
	}{
		{"user namespaces", userNamespaces, map[string]string{"proc/sys/user/max_user_namespaces": "100\n"}, OK, "100"},
		{"user namespaces switched off", userNamespaces, map[string]string{"proc/sys/user/max_user_namespaces": "0\n"}, Fail, "is 0"},
		{"no user namespaces", userNamespaces, nil, Fail, "no user namespaces"},
		{"bridges are filtered", bridgeFiltering, map[string]string{v4: "1\n", v6: "1\n"}, OK, "both halves"},
		{"bridges are not filtered for IPv6", bridgeFiltering, map[string]string{v4: "1\n", v6: "0\n"}, Warn, "bridge-nf-call-ip6tables is 0"},
		{"no br_netfilter", bridgeFiltering, nil, Warn, "not loaded"},
		{"br_netfilter yet to be loaded", bridgeFiltering, map[string]string{
			"proc/sys/kernel/osrelease":   "6.0\n",
			"lib/modules/6.0/modules.dep": "kernel/net/bridge/br_netfilter.ko:\n",
		}, OK, "with the first filter"},
		{"no IPv6", ipv6, nil, Warn, "no IPv6"},
		{"IPv6", ipv6, map[string]string{"proc/net/if_inet6": ""}, OK, "has it"},
		{"no subordinate ids", subordinateIDs, nil, OK, "free"},
		{"subordinate ids elsewhere", subordinateIDs, map[string]string{"etc/subuid": "alice:100000:65536\n"}, OK, "free"},
		{"subordinate ids among the sandboxes'", subordinateIDs, map[string]string{"etc/subuid": "alice:500000:65536\n"}, Warn, "alice"},
		{"no AppArmor", appArmor(schema.LXC), nil, OK, "off in this kernel"},
		{"SELinux in its place", appArmor(schema.KVM), map[string]string{"sys/kernel/security/lsm": "capability,yama,selinux"}, OK, "which has SELinux"},
		{"no SELinux", selinux(containersMay), nil, "", ""},
		{"SELinux without sbx's module", selinux(containersMay), map[string]string{"sys/fs/selinux/enforce": "1"}, Fail, "sandboxes do not start"},
		{"SELinux that only warns, without it", selinux(machinesMay), map[string]string{"sys/fs/selinux/enforce": "0"}, Warn, "when it enforces"},
		{"SELinux without what loads policies", selinux(containersMay), map[string]string{"sys/fs/selinux/enforce": "1", "sys/fs/selinux/context": ""}, Fail, "semodule"},
		{"SELinux with it", selinux(containersMay), map[string]string{"sys/fs/selinux/enforce": "1", "sys/fs/selinux/context": "", "usr/sbin/semodule": ""}, OK, "sbx_container_t"},
		{"SELinux and machines", selinux(machinesMay), map[string]string{"sys/fs/selinux/enforce": "1", "sys/fs/selinux/context": "", "usr/sbin/semodule": ""}, OK, "svirt_t"},
		{"no qboot", qboot, nil, Warn, "slower"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.probe(context.Background(), hostWith(t, c.files))
			if got.State != c.want || !strings.Contains(got.Found, c.found) {
				t.Errorf("%+v, want %s with %q", got, c.want, c.found)
			}
			if (got.State == Warn || got.State == Fail) && got.Mend == "" {
				t.Error("it does not say how to mend that")
			}
		})
	}
}
