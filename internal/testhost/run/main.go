// Command run runs a command line inside a private host with its own libvirtd,
// network and processes:
//
//	go run ./internal/testhost/run -- virsh -c lxc:///system list
//
// It needs root. The host ends with the command, whose exit code it gives.
package main

import (
	"fmt"
	"os"

	"github.com/sbx-dev/sbx/internal/testhost"
)

func main() {
	argv := os.Args[1:]
	if len(argv) > 0 && argv[0] == "--" {
		argv = argv[1:]
	}
	if len(argv) == 0 {
		fmt.Fprintln(os.Stderr, "usage: run -- COMMAND [ARGUMENT…]")
		os.Exit(2)
	}
	code, err := testhost.Run(argv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testhost:", err)
		os.Exit(1)
	}
	os.Exit(code)
}
