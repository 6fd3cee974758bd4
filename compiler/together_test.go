package compiler_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// onOneHost loads profiles named a, b, … of which each has more of its own.
func onOneHost(t *testing.T, more ...string) []*schema.Profile {
	t.Helper()
	dir := t.TempDir()
	var found []*schema.Profile
	for i, text := range more {
		name := string(rune('a' + i))
		text = fmt.Sprintf("package %s\n\nimport \"github.com/sbx-dev/sbx/schema\"\n\nschema.#Profile & {\n\tname:    _ | *%q\n\tbackend: *\"lxc\" | \"kvm\"\n\trun: argv: [\"/usr/bin/true\"]\n} & {%s}\n", name, name, text)
		file := filepath.Join(dir, name+".cue")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		c := load.Config{}
		one, err := c.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, one...)
	}
	return found
}

// What only one sandbox of a host can have is not given to two.
func TestTogether(t *testing.T) {
	const on = `network: {attach: "n", address: `
	made := func(address, host string) string {
		return `network: {attach: "n", address: "` + address + `", create: {mode: "isolated", address: "` + host + `"}}`
	}
	publishes := func(address, more string) string {
		return on + `"` + address + `", allow: [{in: tcp: [8080]}], publish: [{tcp: 80, to: 8080` + more + `}]}`
	}
	for name, c := range map[string]struct {
		a, b string
		want string // "" where nothing is wrong
	}{
		"nothing in common":                     {on + `"10.0.0.2/24"}`, on + `"10.0.0.3/24"}`, ""},
		"an address":                            {on + `"10.0.0.2/24"}`, on + `["10.0.0.3/24", "10.0.0.2/16"]}`, "network.address[1]: b's address 10.0.0.2 on the network n is also that of a"},
		"an address in other words":             {on + `"fd00::2/64"}`, on + `"fd00:0::0002/64"}`, "network.address[0]: b's address fd00::2 on the network n is also that of a"},
		"an address elsewhere":                  {on + `"10.0.0.2/24"}`, `network: {attach: "m", address: "10.0.0.2/24"}`, ""},
		"an address on a bridge of that name":   {on + `"10.0.0.2/24"}`, `network: {bridge: "n", address: "10.0.0.2/24"}`, ""},
		"an address on a bridge":                {`networks: x: {bridge: "br0", address: "10.0.0.2/24"}`, `networks: y: {bridge: "br0", address: "10.0.0.2/24"}`, "networks.y.address[0]: b's address 10.0.0.2 on the bridge br0 is also that of a"},
		"an address of two of one's interfaces": {`networks: {x: {bridge: "br0", address: "10.0.0.2/24"}, y: {bridge: "br0", address: "10.0.0.2/24"}}`, ``, "networks.y.address[0]: a's address 10.0.0.2 on the bridge br0 is also that of a"},
		"the host's address":                    {made("10.0.0.2/24", "10.0.0.1/24"), on + `"10.0.0.1/24"}`, "network.address[0]: b's address 10.0.0.1 on the network n is the host's own there"},
		"the host's address, made later":        {on + `"10.0.0.1/24"}`, made("10.0.0.2/24", "10.0.0.1/24"), "network.address[0]: a's address 10.0.0.1 on the network n is the host's own there"},
		"one network":                           {made("10.0.0.2/24", "10.0.0.1/24"), made("10.0.0.3/24", "10.0.0.1/24"), ""},
		"one network, made in two ways":         {made("10.0.0.2/24", "10.0.0.1/24"), made("10.0.0.3/24", "10.0.0.9/24"), `network.create: b and a create the network "n", each in another way`},
		"networks over each other":              {made("10.0.0.2/24", "10.0.0.1/24"), `network: {attach: "m", create: {mode: "nat", address: "10.0.0.200/25"}}`, `network.create: the networks "m" and "n", which b and a create, have addresses in common`},
		"a name":                                {``, `name: "a"`, `name: two profiles are of the sandbox "a"`},
		"a published port":                      {publishes("10.0.0.2/24", ""), publishes("10.0.0.3/24", `, on: "192.0.2.1"`), "network.publish[0]: the host's port 80, which b publishes, is also published by a"},
		"a published port of two addresses":     {publishes("10.0.0.2/24", `, on: "192.0.2.2"`), publishes("10.0.0.3/24", `, on: "192.0.2.1"`), ""},
		"host ids":                              {`users: base: 655360000`, `users: base: 655360000`, "users: the host ids of b, 655360000 and the 65535 after it, are also those of a"},
		"a socket":                              {`mounts: "/run/a/it.sock": socket: to: ["c", "b"]`, `mounts: "/run/x/it.sock": socket: from: "a"`, ""},
		"a socket of one who is not here":       {``, `mounts: "/run/x/it.sock": socket: from: "z"`, ""},
		"a socket that is not given":            {`mounts: "/run/a/it.sock": socket: to: ["c"]`, `mounts: "/run/x/it.sock": socket: from: "a"`, `mounts."/run/x/it.sock".socket.from: a does not give its socket it.sock to b`},
		"a socket that there is not":            {`mounts: "/run/a/it.sock": socket: to: ["b"]`, `mounts: "/run/a/other.sock": socket: from: "a"`, `mounts."/run/a/other.sock".socket.from: a has no socket other.sock for others`},
		"sockets both ways":                     {`mounts: {"/run/a/1.sock": socket: to: ["b"], "/run/b/2.sock": socket: from: "b"}`, `mounts: {"/run/a/1.sock": socket: from: "a", "/run/b/2.sock": socket: to: ["a"]}`, `mounts."/run/b/2.sock".socket.from: none of the sandboxes that wait for each other can start first: a has a socket from b`},
	} {
		t.Run(name, func(t *testing.T) {
			list := compiler.Together(onOneHost(t, c.a, c.b))
			got := ""
			for _, d := range list {
				got += d.Path + ": " + d.Message
				if d.Pos.Line == 0 || len(d.Notes) != 1 || d.Notes[0].Pos.Line == 0 {
					t.Errorf("no two places: %+v", d)
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A profile that is named twice is one.
func TestTogetherWithItself(t *testing.T) {
	a := onOneHost(t, `network: {attach: "n", address: "10.0.0.2/24"}`)
	if list := compiler.Together(append(a, a...)); len(list) > 0 {
		t.Error(list)
	}
}
