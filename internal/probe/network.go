package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// journal notes what reached the sandbox.
type journal struct {
	mu    sync.Mutex
	lines []string
}

// String gives a line for each packet or connection: "udp :514 TEXT".
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}

func (j *journal) note(network, address, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, network+" "+address+" "+text)
}

// listen notes and answers what comes to the address, on IPv4 and IPv6.
func (j *journal) listen(network, address string) error {
	if network == "udp" {
		conn, err := net.ListenPacket(network, address)
		if err != nil {
			return err
		}
		go j.datagrams(conn, address)
		return nil
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	go j.connections(listener, address)
	return nil
}

func (j *journal) datagrams(conn net.PacketConn, address string) {
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		j.note("udp", address, string(buf[:n]))
		conn.WriteTo(buf[:n], from)
	}
}

func (j *journal) connections(listener net.Listener, address string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		j.note("tcp", address, conn.RemoteAddr().String())
		conn.Close()
	}
}

// interfaces lists the network interfaces' names.
func interfaces() (string, error) {
	list, err := net.Interfaces()
	var names []string
	for _, i := range list {
		names = append(names, i.Name)
	}
	return strings.Join(names, " "), err
}

// dial connects by TCP; by UDP it sends a packet and waits for the answer.
func dial(network, address string, limit time.Duration) (string, error) {
	conn, err := net.DialTimeout(network, address, limit)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if !strings.HasPrefix(network, "udp") {
		return "connected", nil
	}
	conn.SetDeadline(time.Now().Add(limit))
	if _, err := conn.Write([]byte("probe")); err != nil {
		return "", err
	}
	_, err = conn.Read(make([]byte, 1500))
	return "answered", err
}

// resolve asks the name server for the name's addresses.
func resolve(ctx context.Context, server, name string) (string, error) {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(server, "53"))
	}}
	addresses, err := r.LookupHost(ctx, name)
	return strings.Join(slices.Sorted(slices.Values(addresses)), " "), err
}

// frame is a UDP packet to port 9 with addresses of the sender's choice.
type frame struct{ mac, from, to, text string }

// spoof sends the frame on eth0 to everyone on the wire.
func spoof(f frame) error {
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		return err
	}
	data, err := f.encode()
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, data, 0, &unix.SockaddrLinklayer{Ifindex: eth0.Index, Halen: 6})
}

// encode writes Ethernet, IPv4 (RFC 791) and UDP headers; the UDP checksum of 0
// means none.
func (f frame) encode() ([]byte, error) {
	mac, err := net.ParseMAC(f.mac)
	if err != nil {
		return nil, err
	}
	from, err1 := netip.ParseAddr(f.from)
	to, err2 := netip.ParseAddr(f.to)
	if err1 != nil || err2 != nil || !from.Is4() || !to.Is4() {
		return nil, fmt.Errorf("%q and %q are not two IPv4 addresses", f.from, f.to)
	}
	out := append([]byte{255, 255, 255, 255, 255, 255}, mac...)
	out = binary.BigEndian.AppendUint16(out, unix.ETH_P_IP)
	ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, unix.IPPROTO_UDP, 0, 0}
	binary.BigEndian.PutUint16(ip[2:], uint16(20+8+len(f.text)))
	ip = append(append(ip, from.AsSlice()...), to.AsSlice()...)
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	out = append(out, ip...)
	for _, field := range []uint16{4000, 9, uint16(8 + len(f.text)), 0} {
		out = binary.BigEndian.AppendUint16(out, field)
	}
	return append(out, f.text...), nil
}

// checksum is the internet checksum (RFC 1071) of an even number of bytes.
func checksum(data []byte) uint16 {
	var sum uint32
	for i := 0; i < len(data); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(data[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
