package agent

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/display"
)

// screen is the sandbox's display and who looks at it.
type screen struct {
	server *display.Server

	mu     sync.Mutex
	within int // how many viewers there are
}

// OpenDisplay starts the profile's screen, if it has one. It comes before Start.
func (a *Agent) OpenDisplay() error {
	if a.manifest.Display == nil {
		return nil
	}
	user, err := a.commands.user("")
	if err != nil {
		return err
	}
	a.screen.server, err = display.Start(a.table, *a.manifest.Display, user)
	return err
}

// leaveDisplay tells viewers that the sandbox ends.
func (a *Agent) leaveDisplay() {
	if a.screen.server != nil {
		a.screen.server.Leave()
	}
}

// enter lets a viewer in: beside others if shared, else as the only one.
func (s *screen) enter(shared bool) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.within > 0 && !shared {
		return nil, &channel.Failure{Reason: channel.ReasonRefused, Message: "somebody views it already: --shared views it beside them"}
	}
	conn, err := s.server.Dial()
	if err == nil {
		s.within++
	}
	return conn, err
}

func (s *screen) leave() {
	s.mu.Lock()
	s.within--
	s.mu.Unlock()
}

// view connects a host's viewer to the screen.
func (a *Agent) view(r channel.Request, s *channel.Stream) {
	err := a.broken
	if err == nil && a.screen.server == nil {
		err = &channel.Failure{Reason: channel.ReasonRefused, Message: "its profile has no display"}
	}
	var conn net.Conn
	if err == nil {
		conn, err = a.screen.enter(r.Shared)
	}
	if err != nil {
		fail(s, err)
		awaitHost(s)
		return
	}
	defer a.screen.leave()
	_ = s.Send(channel.KindStarted, nil) // a lost host shows in take
	left := make(chan struct{})
	go func() {
		take(s, conn)
		close(left) // first, so that show knows why it ends
		conn.Close()
	}()
	go func() {
		select {
		case <-a.screen.server.Over():
			conn.Close()
		case <-left:
		}
	}()
	a.show(s, conn, left)
	<-left
}

// take passes on what the viewer says, until the host has closed the stream or is lost.
// What the server takes no more is dropped.
func take(s *channel.Stream, conn net.Conn) {
	for {
		f, err := s.Receive()
		if err != nil {
			return
		}
		if f.Kind == channel.KindStdin {
			_, _ = conn.Write(f.Payload) // show sees that it has ended
		}
	}
}

// greetTime is how long the server may take to greet a viewer, which is the first that
// either of them says (RFC 6143, 7.1.1): one that hangs lets viewers in and says nothing.
const greetTime = 30 * time.Second

// show passes on what the server says, and at its end why.
func (a *Agent) show(s *channel.Stream, conn net.Conn, left <-chan struct{}) {
	_ = conn.SetReadDeadline(time.Now().Add(greetTime)) // of a socket that is closed, which Read tells
	buf := make([]byte, 32<<10)
	var err error
	for err == nil {
		var n int
		n, err = conn.Read(buf)
		if n > 0 {
			_ = conn.SetReadDeadline(time.Time{})
			if s.Send(channel.KindStdout, buf[:n]) != nil {
				return
			}
		}
	}
	select {
	case <-left:
		return
	default:
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		fail(s, fmt.Errorf("the display's X server hangs: it lets viewers in, and has not greeted this one within %v", greetTime))
		return
	}
	if err := a.screen.server.Lost(); err != nil {
		fail(s, err)
		return
	}
	_ = s.Send(channel.KindDone, nil)
}
