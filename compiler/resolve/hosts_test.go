package resolve

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/schema"
)

// TestOwnName says where the sandbox's own /etc/hosts stands, and what in it is of
// the host.
func TestOwnName(t *testing.T) {
	const local = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
	const own = "127.0.1.1 web\n::1 web\n"
	text := "x"
	at := func(address ...string) *schema.Network { return &schema.Network{Address: address} }
	for name, c := range map[string]struct {
		profile schema.Profile
		source  string
		content string // empty: there is no such mount
	}{
		"nothing of the host's":     {schema.Profile{}, "", local + own},
		"other files":               {schema.Profile{Expose: []string{"/usr", "/etc/passwd", "/etc/hosts.allow", "/et"}}, "", local + own},
		"the host's folder":         {schema.Profile{Expose: []string{"/etc"}}, "/etc/hosts", own},
		"the host's file":           {schema.Profile{Expose: []string{"/etc/hosts"}}, "/etc/hosts", own},
		"another folder":            {schema.Profile{Mounts: map[string]schema.Mount{"/etc": {Host: "/srv/etc"}}}, "/srv/etc/hosts", own},
		"another folder over it":    {schema.Profile{Expose: []string{"/etc"}, Mounts: map[string]schema.Mount{"/etc": {Host: "/srv/etc"}}}, "/srv/etc/hosts", own},
		"memory":                    {schema.Profile{Mounts: map[string]schema.Mount{"/etc": {Tmpfs: 1}}}, "", local + own},
		"a file of the profile's":   {schema.Profile{Mounts: map[string]schema.Mount{"/etc/hosts": {File: &text}}}, "", ""},
		"a file in its place":       {schema.Profile{Expose: []string{"/etc"}, Mounts: map[string]schema.Mount{"/etc/hosts": {Host: "/srv/hosts"}}}, "", ""},
		"a folder that is writable": {schema.Profile{Mounts: map[string]schema.Mount{"/etc": {Host: "/srv/etc", Writable: true}}}, "", ""},
		"a disk":                    {schema.Profile{Mounts: map[string]schema.Mount{"/etc": {Image: "/srv/disk"}}}, "", ""},
		"an address":                {schema.Profile{Network: at("10.0.0.2/24")}, "", local + "10.0.0.2 web\n::ffff:10.0.0.2 web\n"},
		"an address of IPv6":        {schema.Profile{Network: at("fd00::2/64")}, "", local + "127.0.1.1 web\nfd00::2 web\n"},
		"addresses":                 {schema.Profile{Networks: map[string]schema.Network{"b": *at("10.0.1.2/24"), "a": *at("10.0.0.2/24", "fd00::2/64")}}, "", local + "10.0.0.2 web\n10.0.1.2 web\nfd00::2 web\n"},
		"a name of several parts":   {schema.Profile{Hostname: "web.example.org"}, "", local + "127.0.1.1 web.example.org web\n::1 web.example.org web\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.profile.Hostname == "" {
				c.profile.Hostname = "web"
			}
			var want []manifest.Mount
			if c.content != "" {
				want = []manifest.Mount{{Kind: manifest.Inline, Target: "/etc/hosts", Source: c.source, Content: c.content, Mode: 0o644}}
			}
			if d := cmp.Diff(want, ownName(&c.profile)); d != "" {
				t.Error(d)
			}
		})
	}
}
