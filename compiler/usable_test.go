package compiler_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// usable is a profile at 10.0.0.2/24 and fd00::2/64 with more of its own.
func usable(more string) string {
	return `package usable
import "github.com/sbx-dev/sbx/schema"
schema.#Profile & {
	name:    "usable"
	backend: *"lxc" | "kvm"
	run: argv: ["/usr/bin/true"]
	network: {attach: "n", address: ["10.0.0.2/24", "fd00::2/64"]}
} & {` + more + `}`
}

// TestUnusable names what a profile opens and its sandbox cannot use, and nothing
// else.
func TestUnusable(t *testing.T) {
	for name, c := range map[string]struct{ profile, want string }{
		"root, a low port":               {`network: allow: [{in: tcp: [80, 8080]}]`, `network.allow[0]: the command runs as root and may not listen on tcp 80: add "net_bind_service" to capabilities`},
		"root that may":                  {`network: allow: [{in: tcp: [80]}], capabilities: ["net_bind_service"]`, ``},
		"a user":                         {`network: allow: [{in: udp: [53]}], run: user: "33"`, `network.allow[0]: the command runs as 33 and may not listen on udp 53: add "net_bind_service" to capabilities and to run.capabilities`},
		"a user, while root may":         {`network: allow: [{in: tcp: ["20-21"]}], run: user: "web", capabilities: ["net_bind_service"]`, `network.allow[0]: the command runs as web and may not listen on tcp 20-21: add "net_bind_service" to run.capabilities`},
		"a user that may":                {`network: allow: [{in: tcp: [80]}], run: {user: "web", capabilities: ["net_bind_service"]}, capabilities: ["net_bind_service"]`, ``},
		"a high port":                    {`network: allow: [{in: tcp: [1024]}], run: user: "33"`, ``},
		"ports around the border":        {`network: allow: [{in: tcp: ["1-65535"]}], run: user: "33"`, ``},
		"anything":                       {`network: allow: [{in: any: true}], run: user: "33"`, ``},
		"a low port elsewhere":           {`network: allow: [{out: tcp: [80], to: "10.0.0.1"}]`, ``},
		"readiness that cannot be":       {`run: ready: http: {port: 80, path: "/"}`, `run.ready: the command runs as root and may not listen on tcp 80: add "net_bind_service" to capabilities`},
		"health that cannot be":          {`run: health: tcp: 22`, `run.health: the command runs as root and may not listen on tcp 22: add "net_bind_service" to capabilities`},
		"a raw request":                  {`network: allow: [{out: icmp: ["timestamp-request"], to: "10.0.0.1"}]`, `network.allow[0]: the command runs as root and cannot send a timestamp-request: add "net_raw" to capabilities`},
		"a raw request that is possible": {`network: allow: [{out: icmp: ["timestamp-request"], to: "10.0.0.1"}], capabilities: ["net_raw"]`, ``},
		"an echo, and errors":            {`network: allow: [{out: icmp: ["echo-request", "destination-unreachable"], to: "10.0.0.1"}]`, ``},
		"no way out":                     {`network: allow: [{out: tcp: [443], to: "192.0.2.1"}]`, `network.allow[0]: no route of the sandbox's leads to 192.0.2.1: give network a gateway or a route, or correct the addresses`},
		"no way back":                    {`network: allow: [{in: tcp: [8080], from: "2001:db8::/32"}]`, `network.allow[0]: no route of the sandbox's leads to 2001:db8::/32: give network a gateway or a route, or correct the addresses`},
		"a way for the other family":     {`network: allow: [{out: tcp: [443], to: "192.0.2.1"}], network: gateway: "fd00::1"`, `network.allow[0]: no route of the sandbox's leads to 192.0.2.1: give network a gateway or a route, or correct the addresses`},
		"a gateway":                      {`network: allow: [{out: tcp: [443], to: ["192.0.2.1", "2001:db8::1"]}], network: gateway: "10.0.0.1"`, ``},
		"a route":                        {`network: allow: [{out: tcp: [443], to: "192.0.2.1"}], network: routes: [{to: "192.0.2.0/24", via: "10.0.0.1"}]`, ``},
		"everywhere":                     {`network: allow: [{out: tcp: [443]}]`, ``},
		"groups and the link":            {`network: allow: [{out: udp: [5353], to: "224.0.0.251"}, {out: udp: [5353], to: "ff02::fb"}, {out: udp: [67], to: "255.255.255.255"}, {out: udp: [546], to: "fe80::/64"}]`, ``},
		"a server that may be asked":     {`network: {dns: "10.0.0.1", allow: [{out: udp: [53], to: "10.0.0.0/28"}]}`, ``},
		"a server that may be sent all":  {`network: {dns: "fd00::1", allow: [{out: any: true}]}`, ``},
		"a server that may not":          {`network: {dns: ["10.0.0.1"], allow: [{out: udp: [53], to: "10.0.0.3"}, {out: tcp: [53]}]}`, `network.dns[0]: no rule lets the sandbox ask the name server 10.0.0.1, so every look-up waits in vain: add a rule: {out: udp: [53], to: "10.0.0.1"}`},
		"a machine's folder":             {`backend: "kvm", run: user: "33", mounts: "/data": {host: "/srv", writable: true}`, `mounts."/data": in a machine, all of /data belongs to one id, which is not that of 33: add "dac_override" to capabilities and to run.capabilities, or let everyone write to /srv`},
		"a machine's folder, for root":   {`backend: "kvm", mounts: "/data": {host: "/srv", writable: true}`, ``},
		"sandboxes of its own":           {`syscalls: nested: true`, `syscalls.nested: the command runs as root, which cannot stand for itself in a user namespace of its own without setfcap: add "setfcap" to capabilities, or have another user run the command, by run.user`},
		"root that may nest":             {`syscalls: nested: true, capabilities: ["setfcap"]`, ``},
		"a user that nests":              {`syscalls: nested: true, run: user: "33"`, ``},
		"interfaces of its own":          {`devices: ["/dev/net/tun"]`, `devices[0]: the command runs as root and can make no network interface: add "net_admin" to capabilities`},
		"interfaces that it may make":    {`devices: ["/dev/net/tun"], capabilities: ["net_admin"]`, ``},
		"FUSE without mounts":            {`devices: ["/dev/dri/renderD128", "/dev/fuse"]`, `devices[1]: nothing inside can mount what it serves by FUSE: mounts are closed: add "sys_admin" to capabilities, or say syscalls: nested: true`},
		"FUSE":                           {`devices: ["/dev/fuse"], syscalls: nested: true, run: user: "33"`, ``},
		"sockets": {`expose: ["/run/dbus"]`, `expose[0]: /run/dbus is where a host has sockets, and read-only does not keep the sandbox from speaking with whoever listens there: if it is to use them, name it in mounts with sockets: true; else expose what is beside them
expose[0]: the system bus, with systemd on it, listens at /run/dbus/system_bus_socket, and who may speak with it is as good as root on the host: leave it out: the socket's owner and mode alone decide whether what is inside may connect`},
		"a socket elsewhere": {`mounts: "/s": host: "/srv/app/app.sock"`, `mounts."/s".host: /srv/app/app.sock is where a host has sockets, and read-only does not keep the sandbox from speaking with whoever listens there: if it is to use them, say sockets: true; else mount what is beside them`},
		"figures for anyone": {`mounts: "/host/proc": figures: "proc", network: allow: [{in: tcp: [9100]}, {out: udp: [8125]}, {in: tcp: [9101], from: "10.0.0.1"}, {out: tcp: [9102], to: "10.0.0.1"}, {in: tcp: [9103], from: ["0.0.0.0/1", "128.0.0.0/1"]}]`, `network.allow[0]: the sandbox sees the host's figures of /proc at /host/proc, and may tell anyone: say in from who may ask
network.allow[1]: the sandbox sees the host's figures of /proc at /host/proc, and may tell anyone: say in to whom it may send
network.allow[4]: the sandbox sees the host's figures of /proc at /host/proc, and may tell anyone: say in from who may ask`},
		"figures for one":            {`mounts: "/host/sys": figures: "sys", network: allow: [{in: tcp: [9100], from: "10.0.0.1"}]`, ``},
		"sockets that are named":     {`mounts: "/run/app": {host: "/var/run/app", sockets: true}`, ``},
		"a socket of root's":         {`mounts: "/run/dbus": {host: "/var/run/dbus", sockets: true}`, `mounts."/run/dbus".host: the system bus, with systemd on it, listens at /run/dbus/system_bus_socket, and who may speak with it is as good as root on the host: leave it out: the socket's owner and mode alone decide whether what is inside may connect`},
		"sockets of no use":          {`backend: "kvm", mounts: "/run/dbus": host: "/var/run/dbus"`, ``},
		"what only sounds like them": {`mounts: "/s": host: "/runs/x.sockets"`, ``},
		"a container's folder":       {`run: user: "33", mounts: "/data": {host: "/srv", writable: true}`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range compile(t, loadText(t, "usable.cue", []byte(usable(c.profile)))).Warnings {
				message, _, _ := strings.Cut(d.Message, ": ports below") // which is always the same
				message, _, _ = strings.Cut(message, ": that takes")
				message, _, _ = strings.Cut(message, ", so what is")
				got = append(got, fmt.Sprintf("%s: %s: %s", d.Path, message, d.Help))
			}
			if d := cmp.Diff(c.want, strings.Join(got, "\n")); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestOneRemarkForAllPorts names every place that has the same cause.
func TestOneRemarkForAllPorts(t *testing.T) {
	list := compile(t, loadText(t, "usable.cue", []byte(usable(`run: ready: tcp: 80, network: allow: [{in: tcp: [80]}, {in: udp: [53]}]`)))).Warnings
	if len(list) != 1 || len(list[0].Notes) != 2 || list[0].Notes[0].Message != "nor on udp 53" || list[0].Pos.Line == 0 {
		t.Errorf("got %+v", list)
	}
}

// TestWhatRulesNeedIsThere looks at what the first process and the machine's kernel
// are told because of a rule.
func TestWhatRulesNeedIsThere(t *testing.T) {
	for name, c := range map[string]struct {
		rules string
		ping  bool
	}{
		"nothing":             {``, false},
		"echo":                {`{out: icmp: ["echo-request"]}`, true},
		"echo by number":      {`{out: icmp: [8], to: "10.0.0.1"}`, true},
		"echo of IPv6":        {`{out: icmpv6: ["echo-request"]}`, true},
		"anything":            {`{out: any: true, to: "10.0.0.1"}`, true},
		"echo that is let in": {`{in: icmp: ["echo-request"]}`, false},
		"other types":         {`{out: icmp: ["time-exceeded"]}, {out: icmpv6: ["packet-too-big"]}`, false},
		"other packets":       {`{out: tcp: [8]}, {out: udp: ["1-65535"]}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := manifestOf(t, `network: allow: [`+c.rules+`]`)
			if m.Ping != c.ping {
				t.Errorf("ping is %t", m.Ping)
			}
		})
	}
	m := manifestOf(t, `backend: "kvm", network: allow: [{in: sctp: [2905]}]`)
	if last := m.Modules[len(m.Modules)-1]; last != (manifest.Module{Name: "sctp", For: "network.allow[0]"}) {
		t.Errorf("a machine with a rule for SCTP loads %v", m.Modules)
	}
}

func manifestOf(t *testing.T, more string) *manifest.Manifest {
	t.Helper()
	b := compile(t, loadText(t, "usable.cue", []byte(usable(more))))
	m, err := manifest.Decode(bytes.TrimSpace(b.File("initrd.json")))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
