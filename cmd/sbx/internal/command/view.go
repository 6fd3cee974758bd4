package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net"
	"os"
	"time"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/rfb"
)

// View shows a sandbox's screen.
type View struct {
	verb.HostFlags
	Screenshot string `placeholder:"FILE.png" xor:"what" help:"Write what the screen shows now to a file, and open no viewer."`
	Viewer     string `placeholder:"COMMAND" xor:"what" help:"The VNC viewer, which is given the path of a unix socket. (default: TigerVNC's)"`
	Web        bool   `xor:"what" help:"Print the address of a page that shows it in a browser of this host, and serve that until Ctrl-C or the sandbox's end."`
	ViewOnly   bool   `name:"view-only" help:"Send no keys and no clicks; only TigerVNC's viewer and the page of --web can be told."`
	Shared     bool   `help:"View it beside others, who are not disturbed."`
	Name       string `arg:"" help:"The sandbox, as sbx ps lists it."`
}

func (View) Help() string {
	return `Opens a viewer on the screen of a sandbox whose profile has a display, and ends with
the viewer. The viewer speaks VNC over a unix socket that only you can reach; nothing
listens on a network. One viewer at a time, and further ones with --shared.

What comes from the sandbox is the sandbox's: sbx passes it on and the viewer reads it.
TigerVNC's viewer is told which way copied text may pass, as the profile says; of
another the X server inside is told alone.

With --web it is a page of noVNC on 127.0.0.1, for whoever has its whole address:
what stands behind its # is a secret, and never leaves the browser's own memory and
its connection to sbx.

Examples:
  sbx view pdf
  sbx view --web pdf
  sbx view --screenshot pdf.png pdf
  sbx view --viewer "xtigervncviewer -FullScreen" pdf`
}

func (c *View) Run(a *verb.App) error {
	host := c.Open(a)
	defer host.Close()
	client, err := host.Attach(a.Ctx, c.Name)
	if err != nil {
		return err
	}
	defer client.Close()
	if c.Screenshot != "" {
		return c.shoot(a.Ctx, client)
	}
	found, err := host.Inspect(a.Ctx, c.Name)
	if err != nil {
		return err
	}
	if found.Display == nil {
		return fmt.Errorf("%s has no screen: give its profile a display", c.Name)
	}
	if c.Web {
		return c.serveWeb(a, client, found.Display)
	}
	argv, err := c.viewer(found.Display)
	if err != nil {
		return err
	}
	err = c.open(a.Ctx, a.Stderr, client, argv)
	if a.Ctx.Err() != nil || errors.Is(err, errLeft) || errors.Is(err, errOver) {
		return nil // Ctrl-C, or an end that is no fault
	}
	return err
}

// shotLimit is how long a sandbox may take to give a picture of its screen.
const shotLimit = time.Minute

// shoot writes the picture to its file.
func (c *View) shoot(ctx context.Context, client *channel.Client) error {
	picture, err := screenshot(ctx, client)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return err
	}
	return os.WriteFile(c.Screenshot, b.Bytes(), 0o666)
}

// screenshot takes a picture beside whoever views the screen.
func screenshot(ctx context.Context, client *channel.Client) (*image.RGBA, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, shotLimit, fmt.Errorf("there was no picture of the screen within %v", shotLimit))
	defer cancel()
	ours, theirs := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- client.View(ctx, true, theirs) }()
	picture, err := rfb.Screenshot(ours)
	ours.Close()
	if why := <-ended; err != nil && why != nil { // the pipe has but ended
		return nil, why
	}
	return picture, err
}
