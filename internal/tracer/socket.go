package tracer

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/observed"
)

// begun notes where a call is about to send: it may never end, where nothing answers.
func (t *Tracer) begun(tid int, on *task, c *call) {
	var to netip.AddrPort
	switch c.name {
	case "connect":
		to = t.addressAt(tid, c.args[1], c.args[2])
	case "sendto":
		to = t.addressAt(tid, c.args[4], c.args[5])
	case "sendmsg":
		to = t.messageTo(tid, c.args[1])
	case "sendmmsg": // the first one's stands for all
		to = t.messageTo(tid, c.args[1])
	default:
		return
	}
	fd, err := t.copy(on, c)
	if err != nil {
		return
	}
	defer t.close(fd)
	proto := protocol(fd)
	if proto == "udp" && c.name == "connect" { // sends nothing yet: getaddrinfo(3) does it to sort addresses
		return
	}
	if !to.IsValid() && proto == "udp" {
		to = addressOf(unix.Getpeername(fd))
	}
	if proto == "" || to.Port() == 0 || to.Addr().IsLoopback() || to.Addr().IsUnspecified() {
		return
	}
	t.note(observed.Socket{Program: t.program(tid, on), Call: c.name, Proto: proto, Addr: to})
}

// listens notes at which address a call has made a socket listen.
func (t *Tracer) listens(tid int, on *task, c *call) {
	fd, err := t.copy(on, c)
	if err != nil {
		return
	}
	defer t.close(fd)
	proto := protocol(fd)
	if (proto == "tcp") != (c.name == "listen") {
		return
	}
	if at := addressOf(unix.Getsockname(fd)); proto != "" && at.Port() != 0 {
		t.note(observed.Socket{Program: t.program(tid, on), Call: c.name, Listens: true, Proto: proto, Addr: at})
	}
}

// copy is a descriptor of the socket that is the call's first argument.
func (t *Tracer) copy(on *task, c *call) (int, error) {
	if len(t.helpers) == maxHeld { // nobody could close it
		t.lose()
		return -1, unix.EBUSY
	}
	process, err := unix.PidfdOpen(on.process, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(process)
	return unix.PidfdGetfd(process, int(int32(c.args[0])), 0)
}

// close gives a copy of a socket up.
func (t *Tracer) close(fd int) {
	if !t.within(func() { _ = unix.Close(fd) }) {
		t.lose()
	}
}

// protocol is what a socket of the network speaks, "" for all others.
func protocol(fd int) string {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_INET && domain != unix.AF_INET6 {
		return ""
	}
	switch kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); {
	case err == nil && (kind == unix.IPPROTO_TCP || kind == unix.IPPROTO_MPTCP):
		return "tcp"
	case err == nil && kind == unix.IPPROTO_UDP:
		return "udp"
	}
	return ""
}

func addressOf(address unix.Sockaddr, err error) netip.AddrPort {
	switch a := address.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// messageTo is the address in a struct msghdr, whose first two members are it and its length.
func (t *Tracer) messageTo(tid int, at uint64) netip.AddrPort {
	head := t.read(tid, at, 12)
	if len(head) < 12 {
		return netip.AddrPort{}
	}
	return t.addressAt(tid, number(head[:8]), number(head[8:12]))
}

// addressAt reads a struct sockaddr_in or sockaddr_in6.
func (t *Tracer) addressAt(tid int, at, size uint64) netip.AddrPort {
	if at == 0 || size < unix.SizeofSockaddrInet4 {
		return netip.AddrPort{}
	}
	data := t.read(tid, at, int(min(size, unix.SizeofSockaddrInet6)))
	if len(data) < unix.SizeofSockaddrInet4 {
		return netip.AddrPort{}
	}
	port := binary.BigEndian.Uint16(data[2:])
	switch number(data[:2]) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(data[4:8])), port)
	case unix.AF_INET6:
		if len(data) >= 24 {
			return netip.AddrPortFrom(netip.AddrFrom16([16]byte(data[8:24])).Unmap(), port)
		}
	}
	return netip.AddrPort{}
}

// unixPath is the path of a unix socket that a call connects or sends to, or makes.
func (t *Tracer) unixPath(tid int, c *call) []named {
	at, size := uint64(0), uint64(0)
	switch c.name {
	case "connect", "bind":
		at, size = c.args[1], c.args[2]
	case "sendto":
		at, size = c.args[4], c.args[5]
	case "sendmsg":
		head := t.read(tid, c.args[1], 12)
		if len(head) < 12 {
			return nil
		}
		at, size = number(head[:8]), number(head[8:12])
	}
	const family = 2 // bytes, before the path (unix(7))
	if at == 0 || size <= family {
		return nil
	}
	data := t.read(tid, at, int(min(size, unix.SizeofSockaddrUnix)))
	if len(data) <= family || number(data[:family]) != unix.AF_UNIX || data[family] == 0 { // of no folder
		return nil
	}
	name, _, _ := strings.Cut(string(data[family:]), "\x00")
	name = inside(tid, name, unix.AT_FDCWD)
	if name == "" {
		return nil
	}
	return []named{{name, c.name == "bind"}}
}

// port is what a call of bind has asked for, 0 for others.
func (t *Tracer) port(tid int, c *call) uint16 {
	if c.name != "bind" {
		return 0
	}
	return t.addressAt(tid, c.args[1], c.args[2]).Port()
}
