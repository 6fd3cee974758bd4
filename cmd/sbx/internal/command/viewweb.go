package command

import (
	"context"
	"fmt"
	"io"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/webview"
)

// serveWeb serves the page that shows the screen until Ctrl-C or the sandbox's end.
// No browser is opened: its command line, which every user can read, would have the
// token.
func (c *View) serveWeb(a *verb.App, client *channel.Client, d *manifest.Display) error {
	page, err := webview.Listen(webview.Screen{
		View: func(ctx context.Context, viewer io.ReadWriteCloser) error {
			return client.View(ctx, c.Shared, viewer)
		},
		Name: c.Name, ClipboardIn: d.ClipboardIn, ClipboardOut: d.ClipboardOut, Resize: d.Resize, ViewOnly: c.ViewOnly,
	})
	if err != nil {
		return fmt.Errorf("cannot serve a page on 127.0.0.1: %w", err)
	}
	ctx, cancel := context.WithCancel(a.Ctx)
	defer cancel()
	go func() {
		select {
		case <-client.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	_, _ = say.Fprintln(a.Stdout, page.URL()) // a reader that has left needs none
	if err := page.Serve(ctx); err != nil {
		return fmt.Errorf("the page: %w", err)
	}
	return nil
}
