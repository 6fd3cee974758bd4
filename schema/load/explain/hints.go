package explain

// elsewhere says where words belong that people look for in another place.
var elsewhere = map[string]string{
	"ports":    `ports are opened with network: allow: [{in: tcp: [80]}]`,
	"image":    `the sandbox is made of the host's own files; list them in expose`,
	"volumes":  `folders of the host are given with mounts: "/path": {host: "/path"}`,
	"command":  `the command is run: argv: ["/path/to/program", "argument"]`,
	"cmd":      `the command is run: argv: ["/path/to/program", "argument"]`,
	"source":   `the folder of the host is given with host`,
	"readonly": `a mount is read-only unless it says writable: true`,
	"size":     `the size of a memory folder is given with tmpfs`,
}

// examples show a field that must be there.
var examples = map[string]string{
	"name":    `give the sandbox a name, as in name: "hello"`,
	"backend": `say backend: "lxc" for a container or backend: "kvm" for a machine of its own`,
	"run":     `say what runs, as in run: argv: ["/usr/bin/sleep", "60"]`,
	"argv":    `say what runs, as in argv: ["/usr/bin/sleep", "60"]`,
	"port":    `say the port, as in port: 80`,
	"mode":    `say mode: "nat", "route" or "isolated"`,
	"address": `say the host's own address on it, as in address: "10.83.0.1/24"`,
	"to":      `say the network that the route leads to, as in to: "10.0.0.0/8"`,
	"via":     `say the next router, as in via: "10.83.0.1"`,
}

// forms show how the structs are written that people often write otherwise.
var forms = map[string]string{
	"mounts":   `write it as mounts: "/path/inside": {host: "/path/on/the/host"}`,
	"env":      `write it as env: NAME: "value"`,
	"run":      `write it as run: argv: ["/path/to/program", "argument"]`,
	"network":  `write it as network: {attach: "default", …}`,
	"networks": `write it as networks: lan: {attach: "default", …}`,
	"labels":   `write it as labels: name: "value"`,
	"ready":    `write it as ready: tcp: 80`,
	"in":       `write it as in: tcp: [80]`,
	"out":      `write it as out: tcp: [443]`,
	"mounts.":  `write it as {host: "/path/on/the/host"}`,
}
