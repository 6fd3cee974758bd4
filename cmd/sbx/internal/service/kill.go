package service

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// Kill signals the commands of sandboxes.
type Kill struct {
	verb.HostFlags
	Signal string   `short:"s" default:"TERM" placeholder:"NAME" help:"The signal, by its name: HUP, USR1, TERM, … (default: TERM)"`
	Names  []string `arg:"" name:"name" help:"The sandboxes' names, as sbx ps lists them."`
}

func (Kill) Help() string {
	return `Sends a signal to the first process of each sandbox's command, as many services
take one to read their configuration or to open their logs anew. What the command
makes of it is its own matter; where it ends, the profile's restart says what
follows. sbx stop ends a sandbox for good, in the way that its profile asks for.

Example:
  sbx kill -s USR1 apache`
}

func (c *Kill) Run(a *verb.App) error {
	signal, err := signalOf(c.Signal)
	if err != nil {
		return err
	}
	host := c.Open(a)
	defer host.Close()
	return verb.Each(c.Names, func(name string) error {
		if err := host.Signal(a.Ctx, name, signal); err != nil {
			return err
		}
		say.Fprintf(a.Stdout, "%s: %s sent\n", name, unix.SignalName(signal))
		return nil
	})
}

// signalOf reads a signal's name, with or without its SIG.
func signalOf(name string) (syscall.Signal, error) {
	signal := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG"))
	if signal == 0 {
		return 0, fmt.Errorf("there is no signal %q: want a name as in HUP, USR1 or TERM; signal(7) has them all", name)
	}
	return signal, nil
}
