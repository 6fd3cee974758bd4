package main

import (
	"fmt"

	"github.com/sbx-dev/sbx/runtime"
)

// hostFlags are the arguments of the verbs that work on a libvirt.
type hostFlags struct {
	Connect string `short:"c" placeholder:"URI" help:"The libvirt to use: qemu:///system, lxc+ssh://host/system. (default: LIBVIRT_DEFAULT_URI, else this machine's own)"`
}

// open gives the runtime, which tells what takes a while on stderr.
func (h *hostFlags) open(a *app) *runtime.Runtime {
	return runtime.New(runtime.Options{
		URI: h.Connect,
		Log: func(line string) { fmt.Fprintln(a.stderr, "sbx:", line) },
	})
}
