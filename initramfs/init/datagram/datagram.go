// Package datagram receives what programs inside send to a socket that the sandbox's
// first process has made for them.
package datagram

import (
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxMessage is the most bytes of a message that are kept.
	maxMessage = 8 << 10
	// maxBatch is the most messages that are handed on at once.
	maxBatch = 64
)

// Socket is one that programs send messages to.
type Socket struct {
	conn *net.UnixConn

	mu   sync.Mutex // held from taking messages to having handed them on
	take func(messages [][]byte)
}

// Listen makes the socket, which everyone inside may write to.
func Listen(path string) (*Socket, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil { // whatever the umask
		conn.Close()
		return nil, err
	}
	return &Socket{conn: conn}, nil
}

// Serve calls take with the messages that have come, from now on, and waits for pause
// between two calls: whoever sends more meanwhile than the socket holds waits as well.
func (s *Socket) Serve(pause time.Duration, take func(messages [][]byte)) {
	s.mu.Lock()
	s.take = take
	s.mu.Unlock()
	go func() {
		raw, err := s.conn.SyscallConn()
		for err == nil {
			err = raw.Read(func(fd uintptr) bool { return s.deliver(int(fd)) })
			time.Sleep(pause)
		}
	}()
}

// Drain hands on all that has been sent until now: a program's last words may come a
// moment before its end. It comes after Serve.
func (s *Socket) Drain() {
	raw, err := s.conn.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) {
			for s.deliver(int(fd)) {
			}
		})
	}
}

// deliver hands on the messages that are there, if any is. Descriptors that come with
// one are closed by the kernel, since nobody takes them.
func (s *Socket) deliver(fd int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var messages [][]byte
	buffer := make([]byte, maxMessage)
	for len(messages) < maxBatch {
		n, _, err := unix.Recvfrom(fd, buffer, unix.MSG_DONTWAIT)
		if err != nil {
			break
		}
		messages = append(messages, append([]byte(nil), buffer[:n]...))
	}
	if len(messages) == 0 {
		return false
	}
	s.take(messages)
	return true
}
