package forward

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/confine"
)

// The descriptors that a forwarder is started with.
const (
	recordFD   = 3
	sandboxFD  = 4
	listenerFD = 5 // and up, one for each port
)

const (
	dialTime = 10 * time.Second
	// silenceTime is how long a connection may be open before either side has said
	// anything. Once one has, it may be silent for as long as it likes.
	silenceTime = time.Minute
	// lastTime is how long the connections of a forwarder that is told to end, because
	// another one takes its place, may go on.
	lastTime = 10 * time.Second
)

// targetPorts are the ports that the forwarder connects to.
func (r *record) targetPorts() (ports []uint16, err error) {
	for _, p := range r.Ports {
		target, err := netip.ParseAddrPort(p.Target)
		if err != nil {
			return nil, fmt.Errorf("sbx starts this by itself: %w", err)
		}
		ports = append(ports, target.Port())
	}
	return ports, nil
}

// Main is a forwarder's life; task is what start has passed as last argument. It
// returns when the sandbox has ended, or some time after ctx has.
func Main(ctx context.Context, task string) error {
	var r record
	if err := json.Unmarshal([]byte(task), &r); err != nil {
		return fmt.Errorf("sbx starts this by itself: %w", err)
	}
	ports, err := take(&r)
	if err != nil {
		return err
	}
	targets, err := r.targetPorts()
	if err != nil {
		return err
	}
	err = confine.Enter(confine.Confinement{ID: r.User, Files: 2 + len(ports), Connects: targets, Calls: slices.Concat(confine.Sockets, confine.Passing)})
	if err != nil {
		return err
	}
	if err := confine.Begun(); err != nil {
		return err
	}
	locked := os.NewFile(recordFD, "record")
	defer locked.Close() // and no earlier: its lock says that there is a forwarder
	if known := read(locked); known == nil || known.PID != os.Getpid() {
		return errors.New("whoever has started this has ended")
	}
	for _, p := range ports {
		p.under.Go(p.accept)
	}
	ended := make(chan error, 1)
	go func() { ended <- awaitEnd() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	locked.Close() // another one takes over
	for _, p := range ports {
		p.listener.Close()
	}
	last := make(chan struct{})
	go func() {
		for _, p := range ports {
			p.under.Wait()
		}
		close(last)
	}()
	select {
	case <-last:
	case <-ended:
	case <-time.After(lastTime):
	}
	return nil
}

// take gives the ports that this process was started with, each with its share of the
// connections that it may have open.
func take(r *record) ([]*port, error) {
	budget, err := connections()
	if err != nil {
		return nil, err
	}
	var ports []*port
	for i, p := range r.Ports {
		f := os.NewFile(uintptr(listenerFD+i), p.Listen)
		l, err := net.FileListener(f)
		f.Close() // or the port would stay taken when the listener is closed
		if err != nil {
			return nil, fmt.Errorf("sbx starts this by itself: %w", err)
		}
		ports = append(ports, newPort(l, p.Target, max(budget/len(r.Ports), 1)))
	}
	return ports, nil
}

// awaitEnd returns when the sandbox's process has ended: its handle can be read
// from then (pidfd_open(2)).
func awaitEnd() error {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: sandboxFD, Events: unix.POLLIN}}, -1)
		if err != unix.EINTR {
			return err
		}
	}
}

// port is a published port.
type port struct {
	listener net.Listener
	target   string
	open     *table
	silence  time.Duration
	under    sync.WaitGroup // taking connections, and passing them on
}

func newPort(l net.Listener, target string, budget int) *port {
	return &port{listener: l, target: target, open: newTable(budget), silence: silenceTime}
}

func (p *port) accept() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors or memory, for a while
			time.Sleep(100 * time.Millisecond)
			continue
		}
		client := conn.(*net.TCPConn)
		taken := p.open.enter(client)
		if taken == nil {
			reset(client)
			continue
		}
		p.under.Go(func() {
			defer p.open.leave(taken)
			p.pass(taken)
		})
	}
}

// reset ends a connection as a closed port does.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	conn.Close()
}

// pass copies between the client and the sandbox until both have said all.
func (p *port) pass(c *connection) {
	client := c.client
	defer client.Close()
	conn, err := net.DialTimeout("tcp", p.target, dialTime)
	if err != nil {
		_ = client.SetLinger(0)
		return
	}
	sandbox := conn.(*net.TCPConn)
	defer sandbox.Close()
	deadline := time.Now().Add(p.silence)
	_ = client.SetReadDeadline(deadline)
	_ = sandbox.SetReadDeadline(deadline)
	spoken := func() {
		if c.spoken.CompareAndSwap(false, true) {
			_ = client.SetReadDeadline(time.Time{})
			_ = sandbox.SetReadDeadline(time.Time{})
		}
	}
	var both sync.WaitGroup
	both.Go(func() { copyHalf(sandbox, client, &c.spoken, spoken) })
	both.Go(func() { copyHalf(client, sandbox, &c.spoken, spoken) })
	both.Wait()
}

// copyHalf copies one direction and hands its end on. It tells first that something
// has been said, and copies within the kernel from then on.
func copyHalf(to, from *net.TCPConn, spoken *atomic.Bool, speak func()) {
	first := make([]byte, 4096)
	n, err := from.Read(first)
	for errors.Is(err, os.ErrDeadlineExceeded) && spoken.Load() { // the other side has, just then
		n, err = from.Read(first)
	}
	if n > 0 {
		speak()
		if _, err = to.Write(first[:n]); err == nil {
			_, err = io.Copy(to, from)
		}
	}
	if err != nil && err != io.EOF {
		reset(to)
		from.Close()
		return
	}
	_ = to.CloseWrite()
}
