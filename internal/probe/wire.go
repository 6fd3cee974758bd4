package main

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// asWire is the argument by which the probe is an end of a cable and no more.
const asWire = "wire"

// maxFrame is the most bytes of a frame that are passed on.
const maxFrame = 2048

// wire puts frames from in on eth0 just as they are, and those that eth0 is sent
// on out, each behind its length in four bytes, until in ends. The kernel loses
// eth0's addresses, so that it answers nothing by itself. An empty frame on out
// says that the wire is open.
func wire(in io.Reader, out io.Writer) error {
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	addresses, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if err := netlink.AddrDel(link, &a); err != nil {
			return err
		}
	}
	fd, err := openPacketSocket(link.Attrs().Index)
	if err != nil {
		return err
	}
	if _, err := out.Write(make([]byte, 4)); err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- receive(fd, out) }()
	go func() { failed <- transmit(in, fd, link.Attrs().Index) }()
	return <-failed
}

// openPacketSocket opens the interface for whole frames, of every protocol.
func openPacketSocket(index int) (int, error) {
	const everything = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, everything)
	if err != nil {
		return 0, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20); err != nil {
		return 0, err
	}
	return fd, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: index})
}

// receive passes on what others have sent.
func receive(fd int, out io.Writer) error {
	buf := make([]byte, maxFrame)
	for {
		n, from, err := unix.Recvfrom(fd, buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if l, ok := from.(*unix.SockaddrLinklayer); ok && l.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if _, err := out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(n)), buf[:n]...)); err != nil {
			return err
		}
	}
}

// transmit ends with io.EOF.
func transmit(in io.Reader, fd, index int) error {
	for {
		size := make([]byte, 4)
		if _, err := io.ReadFull(in, size); err != nil {
			return err
		}
		n := binary.BigEndian.Uint32(size)
		if n > maxFrame {
			return fmt.Errorf("a frame of %d bytes is too long", n)
		}
		frame := make([]byte, n)
		if _, err := io.ReadFull(in, frame); err != nil {
			return err
		}
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: index, Halen: 6}); err != nil {
			return err
		}
	}
}
