package guard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/confine"
)

// events is a socket at which the kernel tells each change of nftables' tables.
type events struct {
	file   *os.File
	buffer []byte
	lost   bool // some, since there was none left to read the last time
}

// roomForEvents is how much the kernel keeps for the guard while that is at work, in
// bytes. Where it is not enough, it says that something is lost, and all is looked at.
const roomForEvents = 4 << 20

func listen() (*events, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("cannot listen to the kernel's packet filter: %w", err)
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, roomForEvents),
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.NFNLGRP_NFTABLES - 1)}),
	)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot listen to the kernel's packet filter: %w", err)
	}
	return &events{file: os.NewFile(uintptr(fd), "changes of nftables"), buffer: make([]byte, 1<<16)}, nil
}

// most is how many datagrams are read before what they say is acted upon: somebody may go
// on changing tables faster than they are read.
const most = 1000

// read waits for changes, until the deadline of the file, and calls see with the name of
// each table that they are of. all says that some may have got lost: the kernel says so
// once, and says nothing of what it loses until all that it has kept is read.
func (e *events) read(see func(table string)) (all bool, err error) {
	raw, err := e.file.SyscallConn()
	if err != nil {
		return false, err
	}
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		for n := 0; n < most; n++ {
			size, _, err := unix.Recvfrom(int(fd), e.buffer, unix.MSG_DONTWAIT)
			switch err {
			case nil:
				named(e.buffer[:size], see)
			case unix.EINTR:
			case unix.ENOBUFS:
				e.lost, all = true, true
			case unix.EAGAIN:
				e.lost = false
				return n > 0
			default:
				failed = err
				return true
			}
		}
		return true
	})
	return all || e.lost, errors.Join(err, failed)
}

// named calls see with the name of each table of bridges that a datagram of the kernel's
// is about: the first attribute of each message but that which numbers the transaction
// (linux/netfilter/nf_tables.h).
func named(datagram []byte, see func(table string)) {
	const own, table, typeMask = 4, 1, 1<<14 - 1 // struct nfgenmsg; NFTA_TABLE_NAME and its like
	for len(datagram) >= unix.NLMSG_HDRLEN {
		size := int(binary.NativeEndian.Uint32(datagram))
		if size < unix.NLMSG_HDRLEN || size > len(datagram) {
			return
		}
		message := datagram[unix.NLMSG_HDRLEN:size]
		if binary.NativeEndian.Uint16(datagram[4:])>>8 == unix.NFNL_SUBSYS_NFTABLES && len(message) >= own && message[0] == unix.NFPROTO_BRIDGE {
			for rest := message[own:]; len(rest) >= unix.NLA_HDRLEN; {
				size := int(binary.NativeEndian.Uint16(rest))
				if size < unix.NLA_HDRLEN || size > len(rest) {
					break
				}
				if binary.NativeEndian.Uint16(rest[2:])&typeMask == table {
					see(unix.ByteSliceToString(rest[unix.NLA_HDRLEN:size]))
					break
				}
				rest = rest[min(aligned(size), len(rest)):]
			}
		}
		datagram = datagram[min(aligned(size), len(datagram)):]
	}
}

func aligned(n int) int { return (n + unix.NLA_ALIGNTO - 1) &^ (unix.NLA_ALIGNTO - 1) }

// confinement is what a guard keeps: it reads what the kernel says and what root has
// written, and nothing that comes from a sandbox.
func confinement(folder *os.File) confine.Confinement {
	return confine.Confinement{
		ID: ID(), Folder: folder, FileSize: maxNote, NetAdmin: true,
		Calls: append(append([]string{"bind", "flock", "getdents64"}, confine.Sockets...), confine.Rotating...),
	}
}
