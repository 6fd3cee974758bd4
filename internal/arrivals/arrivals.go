// Package arrivals watches who tries to begin a conversation with a sandbox, and whether
// the first packet reaches the sandbox's interface, by packet(7): the kernel shows each packet
// on every interface of the host that it passes, and a filter between two of them drops what
// is seen on the one and never on the other.
package arrivals

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/observed"
)

// NIC is a sandbox's network interface, as the host has it.
type NIC struct {
	Name string           // of the host's end
	MAC  net.HardwareAddr // the sandbox's own
}

// Watcher watches some interfaces.
type Watcher struct {
	sockets []*os.File
	readers sync.WaitGroup

	mu   sync.Mutex
	seen map[observed.Packet]bool // whether it has reached the interface
}

// maxSeen is how many conversations are told apart: who begins them is anybody.
const maxSeen = 1000

// waiting is how much the kernel keeps of what this process has not come to, in bytes: some
// thousand frames.
const waiting = 8 << 20

// maxLeft is how many frames are read after the end of the watch, at most: more than a
// socket holds, so that who goes on sending does not keep it from its end.
const maxLeft = 100_000

// Watch begins to watch.
func Watch(nics []NIC) (*Watcher, error) {
	w := &Watcher{seen: map[observed.Packet]bool{}}
	for _, c := range nics {
		if err := w.watch(c); err != nil {
			w.Record()
			return nil, fmt.Errorf("cannot watch the packets to %s: %w", c.Name, err)
		}
	}
	return w, nil
}

func (w *Watcher) watch(c NIC) error {
	nic, err := net.InterfaceByName(c.Name)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0) // none until it is bound
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "packets")
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, waiting) // else as much as the host gives everybody
	if err := errors.Join(filter(fd, c.MAC), unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything})); err != nil {
		f.Close()
		return err
	}
	w.sockets = append(w.sockets, f)
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	w.readers.Go(func() {
		frame := make([]byte, 128) // what the heads take
		take := func(fd uintptr) error {
			n, from, err := unix.Recvfrom(int(fd), frame, 0)
			if link, ok := from.(*unix.SockaddrLinklayer); ok && err == nil {
				w.note(frame[:n], link.Ifindex == nic.Index)
			}
			return err
		}
		for err := error(nil); err == nil; { // until the watch ends
			err = conn.Read(func(fd uintptr) bool { return !errors.Is(take(fd), unix.EAGAIN) })
		}
		_ = conn.Control(func(fd uintptr) { // what the kernel has shown by then
			for left := maxLeft; left > 0 && !errors.Is(take(fd), unix.EAGAIN); left-- {
			}
		})
	})
	return nil
}

// everything is ETH_P_ALL, as the network has it.
const everything = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8

// filter has the kernel show only frames to the address.
func filter(fd int, to net.HardwareAddr) error {
	if len(to) != 6 {
		return fmt.Errorf("%q is no interface's address", to)
	}
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(to), SkipTrue: 3},
		bpf.LoadAbsolute{Off: 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(binary.BigEndian.Uint16(to[4:])), SkipTrue: 1},
		bpf.RetConstant{Val: 128},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return err
	}
	code := make([]unix.SockFilter, len(program))
	for i, in := range program {
		code[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(code)), Filter: (*unix.SockFilter)(unsafe.Pointer(&code[0]))}))
}

// note takes a frame in.
func (w *Watcher) note(frame []byte, onNIC bool) {
	p, ok := parse(frame)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.seen[p]; known || len(w.seen) < maxSeen {
		w.seen[p] = w.seen[p] || onNIC
	}
}

// Record ends the watch and gives what has been seen.
func (w *Watcher) Record() (list []observed.Packet) {
	for _, f := range w.sockets {
		if f.SetReadDeadline(time.Unix(1, 0)) != nil { // what waits goes on, and takes the rest
			f.Close()
		}
	}
	w.readers.Wait()
	for _, f := range w.sockets {
		f.Close()
	}
	for p, passed := range w.seen {
		p.Passed = passed
		list = append(list, p)
	}
	return list
}

// parse reads a frame that begins a conversation by TCP, or that any datagram of UDP is in.
func parse(frame []byte) (p observed.Packet, ok bool) {
	if len(frame) < 14 {
		return p, false
	}
	data := frame[14:]
	var proto byte
	var to netip.Addr
	switch binary.BigEndian.Uint16(frame[12:]) {
	case unix.ETH_P_IP:
		if len(data) < 20 || data[0]>>4 != 4 || binary.BigEndian.Uint16(data[6:])&0x1fff != 0 { // no later fragment
			return p, false
		}
		head := int(data[0]&0xf) * 4
		if head < 20 || len(data) < head {
			return p, false
		}
		proto, p.From, to = data[9], netip.AddrFrom4([4]byte(data[12:16])), netip.AddrFrom4([4]byte(data[16:20]))
		data = data[head:]
	case unix.ETH_P_IPV6:
		if len(data) < 40 || data[0]>>4 != 6 {
			return p, false
		}
		proto, p.From, to = data[6], netip.AddrFrom16([16]byte(data[8:24])), netip.AddrFrom16([16]byte(data[24:40]))
		data = data[40:]
	default:
		return p, false
	}
	const syn, ack = 0x02, 0x10
	switch {
	case proto == unix.IPPROTO_TCP && len(data) >= 14 && data[13]&(syn|ack) == syn:
		p.Proto = "tcp"
	case proto == unix.IPPROTO_UDP && len(data) >= 8:
		p.Proto = "udp"
	default:
		return p, false
	}
	p.To = netip.AddrPortFrom(to, binary.BigEndian.Uint16(data[2:]))
	return p, true
}
