package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/tigervnc"
)

// viewer is the command that is given the socket's path.
func (c *View) viewer(d *manifest.Display) ([]string, error) {
	if c.Viewer == "" {
		for _, name := range tigervnc.Viewers {
			if path, err := exec.LookPath(name); err == nil {
				return append([]string{path}, c.told(d)...), nil
			}
		}
		return nil, errors.New("there is no VNC viewer on this host: install TigerVNC's (Debian's tigervnc-viewer, Fedora's tigervnc), name another with --viewer, or take a picture with --screenshot FILE.png")
	}
	argv := strings.Fields(c.Viewer)
	if len(argv) == 0 {
		return nil, errors.New("--viewer names no command")
	}
	if slices.Contains(tigervnc.Viewers, filepath.Base(argv[0])) {
		return append(argv, c.told(d)...), nil
	}
	if c.ViewOnly {
		return nil, fmt.Errorf("--view-only: sbx knows how to tell that to TigerVNC's viewer alone; give %s its own flag for it, in --viewer", argv[0])
	}
	return argv, nil
}

// told are the flags by which TigerVNC's viewer keeps to the profile, whatever the
// sandbox sends: its server has the same from sbx, but what runs inside may be no
// server of ours.
func (c *View) told(d *manifest.Display) []string {
	return []string{
		tigervnc.Flag("AcceptClipboard", d.ClipboardOut), tigervnc.Flag("SetPrimary", d.ClipboardOut),
		tigervnc.Flag("SendClipboard", d.ClipboardIn), tigervnc.Flag("SendPrimary", d.ClipboardIn),
		tigervnc.Flag("RemoteResize", d.Resize), tigervnc.Flag("ViewOnly", c.ViewOnly),
	}
}

// open runs the viewer on a socket that only the user can reach, and passes on what it
// and the sandbox say: until the viewer has left, which is errLeft, the sandbox has
// ended, which is errOver, or ctx ends.
func (c *View) open(ctx context.Context, stderr io.Writer, client *channel.Client, argv []string) error {
	dir, err := os.MkdirTemp("", "sbx-view-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "vnc")
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := os.Chmod(socket, 0o600); err != nil {
		return err
	}
	viewing, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	served := make(chan struct{})
	go func() {
		defer close(served)
		cancel(c.serve(viewing, client, l)) // which ends the viewer
	}()
	command := exec.CommandContext(viewing, argv[0], append(argv[1:], socket)...)
	command.Stdout, command.Stderr = stderr, stderr
	command.WaitDelay = viewerTime
	err = command.Run()
	l.Close()
	select { // for which of the two was first: a viewer may end by the sandbox's end
	case <-served:
	case <-time.After(viewerTime): // what it has started may hold the connection
	}
	over := context.Cause(viewing) // before we end it ourselves
	cancel(nil)
	<-served
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(over, errLeft), errors.Is(over, errOver):
		return over
	case over != nil && !errors.Is(over, errAbsent):
		return fmt.Errorf("%s: %w", c.Name, over)
	case err != nil:
		return fmt.Errorf("the viewer %s: %w", argv[0], err)
	}
	return errLeft
}

// viewerTime is how long what a viewer has started may hold its output, or its
// connection, open after it.
const viewerTime = time.Second

// How a viewer ends.
var (
	errLeft   = errors.New("the viewer has left")
	errOver   = errors.New("the sandbox has ended")
	errAbsent = errors.New("the viewer has not come")
)

// serve connects the one viewer that comes, and gives why it ended.
func (c *View) serve(ctx context.Context, client *channel.Client, l net.Listener) error {
	conn, err := l.Accept()
	if errors.Is(err, net.ErrClosed) {
		return errAbsent
	}
	if err != nil {
		return err
	}
	l.Close() // nobody else
	seen := &seen{Conn: conn}
	switch err := client.View(ctx, c.Shared, seen); {
	case err != nil:
		return err
	case seen.left.Load():
		return errLeft
	}
	return errOver
}

// seen is a viewer's connection, which knows whether it is the viewer that has ended it.
type seen struct {
	net.Conn
	left atomic.Bool
}

func (s *seen) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if errors.Is(err, io.EOF) {
		s.left.Store(true)
	}
	return n, err
}
