// Package display runs the X server that draws a sandbox's screen: the host's Xvnc,
// which is a server for viewers at the same time. It listens on sockets inside alone,
// and is a user of its own, so that the command can neither end nor replace it.
package display

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/init/privilege"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/accounts"
	"github.com/sbx-dev/sbx/internal/tigervnc"
)

// startLimit is how long the X server may take until programs can connect.
const startLimit = 2 * time.Minute

// The files in manifest.DisplayDir.
const (
	viewers    = "viewers"    // the socket for viewers
	serverKey  = "server"     // the key by which the server knows programs
	commandKey = "Xauthority" // the same, for the command
)

// owner is the server's user, which has no other use and no name, in the group by
// which the first process reaches its socket.
var owner = privilege.User{User: accounts.User{UID: 65533, GID: 0, Home: manifest.DisplayDir}}

// Env is what the programs of a sandbox with a screen find it by.
func Env() []string {
	return []string{"DISPLAY=:0", "XAUTHORITY=" + filepath.Join(manifest.DisplayDir, commandKey)}
}

// Server is a screen.
type Server struct {
	process *proc.Process
	words   words
	over    chan struct{} // closed when it is to end with the sandbox
	overOne sync.Once
}

// Start starts the X server and waits until programs can connect: the user's, who alone
// gets the key to it.
func Start(table *proc.Table, d manifest.Display, user privilege.User) (*Server, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	if err := checkNeeds(); err != nil {
		return nil, err
	}
	if err := writeKeys(user); err != nil {
		return nil, fmt.Errorf("cannot write the key of the display: %w", err)
	}
	ready, readyOurs, err := owner.OutputPipe()
	if err != nil {
		return nil, err
	}
	defer readyOurs.Close()
	stderr, wordsOurs, err := owner.OutputPipe()
	if err != nil {
		unix.Close(ready)
		return nil, err
	}
	s := &Server{over: make(chan struct{})}
	s.process, err = start(table, arguments(program, d), ready, stderr)
	unix.Close(ready)
	unix.Close(stderr)
	if err != nil {
		wordsOurs.Close()
		return nil, err
	}
	s.words.hear(wordsOurs)
	return s, s.await(readyOurs, startLimit)
}

// find is the X server that the sandbox sees.
func find() (string, error) {
	for _, p := range tigervnc.Servers {
		if info, err := os.Stat(p); err == nil && info.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", fmt.Errorf("the display needs an X server that serves viewers, and the sandbox sees neither %s: install it on the host (Debian's tigervnc-standalone-server, Fedora's tigervnc-server-minimal), and expose /usr", strings.Join(tigervnc.Servers, " nor "))
}

func start(table *proc.Table, argv []string, stdout, stderr int) (*proc.Process, error) {
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(null)
	return table.Start(proc.Spec{
		Argv:  argv,
		Env:   []string{"PATH=/usr/bin:/bin", "HOME=" + owner.Home},
		Dir:   "/",
		User:  owner,
		Files: [3]int{null, stdout, stderr},
	})
}

// arguments are the server's: no network, no way past the key, and of the clipboard
// what the profile says (Xvnc(1), Xserver(1)).
func arguments(program string, d manifest.Display) []string {
	at := func(name string) string { return filepath.Join(manifest.DisplayDir, name) }
	return []string{program, ":0",
		"-auth", at(serverKey), "-nolisten", "tcp", "-nolisten", "unix", "-noreset", "-displayfd", "1",
		"-rfbunixpath", at(viewers), "-rfbunixmode", "0660", "-rfbport", "-1", "-SecurityTypes", "None", "-AlwaysShared",
		"-geometry", fmt.Sprintf("%dx%d", d.Width, d.Height), "-depth", "24",
		tigervnc.Flag("AcceptCutText", d.ClipboardIn), tigervnc.Flag("SendCutText", d.ClipboardOut), tigervnc.Flag("SendPrimary", d.ClipboardOut),
		tigervnc.Flag("AcceptSetDesktopSize", d.Resize),
		"-AllowOverride=", // else every program inside may set these anew (vncconfig(1))
	}
}

// await waits until the server says, by its display's number, that it is ready.
func (s *Server) await(ready *os.File, atMost time.Duration) error {
	said := make(chan error, 1)
	go func() {
		_, err := bufio.NewReader(io.LimitReader(ready, 64)).ReadString('\n')
		said <- err
	}()
	limit := time.NewTimer(atMost)
	defer limit.Stop()
	select {
	case err := <-said:
		if err == nil {
			return nil
		}
		select {
		case <-s.process.Done():
		case <-limit.C: // it has closed what it was to answer on, and hangs
		}
	case <-limit.C:
		return fmt.Errorf("the display's X server was not ready within %v%s", atMost, s.words.last())
	}
	return s.ended()
}

// ended says how the server has ended, which it was not to.
func (s *Server) ended() error {
	select {
	case <-s.process.Done():
		return fmt.Errorf("the display's X server has ended: %v%s", s.process.Exit(), s.words.all())
	default:
		return errors.New("the display's X server has closed the connection" + s.words.last())
	}
}

// Dial connects a viewer.
func (s *Server) Dial() (net.Conn, error) {
	conn, err := net.Dial("unix", filepath.Join(manifest.DisplayDir, viewers))
	if err == nil {
		return conn, nil
	}
	select {
	case <-s.process.Done():
		return nil, s.ended()
	default:
		return nil, fmt.Errorf("cannot reach the display's X server: %w", err)
	}
}

// Leave has viewers told that the sandbox ends, and not that the server has: unless it
// has ended before, which may be why the sandbox does.
func (s *Server) Leave() {
	select {
	case <-s.process.Done():
	default:
		s.overOne.Do(func() { close(s.over) })
	}
}

// Over is closed by Leave.
func (s *Server) Over() <-chan struct{} { return s.over }

// Lost says why a viewer's connection has ended: nil where the sandbox ends.
func (s *Server) Lost() error {
	select {
	case <-s.over:
		return nil
	case <-s.process.Done():
	case <-time.After(goneTime):
	}
	select {
	case <-s.over:
		return nil
	default:
		return s.ended()
	}
}

// goneTime is how long a server that has closed a viewer's connection may take to end,
// so that it can be said how.
const goneTime = 5 * time.Second
