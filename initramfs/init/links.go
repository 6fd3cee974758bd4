package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/agent"
)

// channelFD is the descriptor that a container gets its channel as: the first
// that virDomainCreateWithFiles passes.
const channelFD = 3

// links is where hosts come from; the zero value has none.
type links struct {
	one      io.ReadWriteCloser // a machine's port, whose end is the machine's own
	listener net.Listener       // a container's socket, for any number of hosts
}

// openChannel takes the channel that this process was started with. A container
// that libvirt started by itself, at boot, has none.
func openChannel() (links, error) {
	unix.CloseOnExec(channelFD)
	var stat unix.Stat_t
	if err := unix.Fstat(channelFD, &stat); err != nil || stat.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return links{}, nil
	}
	f := os.NewFile(channelFD, "channel")
	defer f.Close() // net has copied it
	listener, err := net.FileListener(f)
	if err != nil {
		return links{}, fmt.Errorf("descriptor %d is no socket at which hosts can connect: %w", channelFD, err)
	}
	return links{listener: listener}, nil
}

// any says whether hosts may come.
func (l links) any() bool { return l.one != nil || l.listener != nil }

// serve serves hosts as long as they come.
func (l links) serve(a *agent.Agent) {
	switch {
	case l.one != nil:
		serveHost(l.one, a.NewHost(true))
	case l.listener != nil:
		for first := true; ; {
			conn, err := l.listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go serveHost(conn, a.NewHost(first))
				first = false
			}
		}
	}
}

func serveHost(conn io.ReadWriteCloser, host *agent.Host) {
	defer conn.Close()
	_ = channel.Serve(conn, host.Handle) // ends with the host
	host.Lost()
}
