package forward

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The descriptors that a forwarder is started with.
const (
	recordFD   = 3
	sandboxFD  = 4
	listenerFD = 5 // and up, one for each port
)

const (
	maxConnections = 4096 // at once, for all ports
	dialTime       = 10 * time.Second
)

// Main is a forwarder's life; task is what start has passed as last argument. It
// returns when the sandbox has ended, or when ctx ends.
func Main(ctx context.Context, task string) error {
	var r record
	if err := json.Unmarshal([]byte(task), &r); err != nil {
		return fmt.Errorf("sbx starts this by itself: %w", err)
	}
	r.PID = os.Getpid()
	if err := json.NewEncoder(os.NewFile(recordFD, "record")).Encode(r); err != nil {
		return err
	}
	slots := make(chan struct{}, maxConnections)
	for i, p := range r.Ports {
		l, err := net.FileListener(os.NewFile(uintptr(listenerFD+i), p.Listen))
		if err != nil {
			return err
		}
		go accept(l, p.Target, slots)
	}
	ended := make(chan error, 1)
	go func() { ended <- awaitEnd() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
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

func accept(l net.Listener, target string, slots chan struct{}) {
	for {
		slots <- struct{}{}
		conn, err := l.Accept()
		if err != nil { // out of descriptors or memory, for a while
			<-slots
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go func() {
			defer func() { <-slots }()
			pass(conn.(*net.TCPConn), target)
		}()
	}
}

// pass copies between the client and the sandbox until both have said all.
func pass(client *net.TCPConn, target string) {
	defer client.Close()
	conn, err := net.DialTimeout("tcp", target, dialTime)
	if err != nil {
		client.SetLinger(0) // the client sees a reset, as from a closed port
		return
	}
	sandbox := conn.(*net.TCPConn)
	defer sandbox.Close()
	var both sync.WaitGroup
	both.Go(func() { copyHalf(sandbox, client) })
	both.Go(func() { copyHalf(client, sandbox) })
	both.Wait()
}

// copyHalf copies one direction and hands its end on.
func copyHalf(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		to.SetLinger(0)
		to.Close()
		from.Close()
		return
	}
	to.CloseWrite()
}
