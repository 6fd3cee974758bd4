package dhcp

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// socket sees the datagrams to a DHCP client that an interface receives, whatever
// address it has.
type socket struct {
	file  *os.File
	index int
}

// onlyAnswers lets through what payload reads, so that the sandbox's own traffic does
// not wake its first process.
var onlyAnswers = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 9},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: udp, Jf: 6},
	{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 6},
	{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: 0x3fff, Jt: 4},
	{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 0},
	{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_IND, K: 2},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: clientPort, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: ipHeader + 40 + udpHeader + mostSize},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
}

// open opens an interface, by its index. Nothing is received before the filter is there.
func open(index int) (*socket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("a packet socket: %w", err)
	}
	s := &socket{file: os.NewFile(uintptr(fd), "dhcp"), index: index}
	program := unix.SockFprog{Len: uint16(len(onlyAnswers)), Filter: &onlyAnswers[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		s.Close()
		return nil, fmt.Errorf("a packet socket's filter: %w", err)
	}
	if err := unix.Bind(fd, s.everybody()); err != nil {
		s.Close()
		return nil, fmt.Errorf("a packet socket's interface: %w", err)
	}
	return s, nil
}

// everybody is where IP goes that all on the interface's network are to see.
func (s *socket) everybody() *unix.SockaddrLinklayer {
	a := &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_IP), Ifindex: s.index, Halen: addressLen}
	copy(a.Addr[:], net.HardwareAddr{255, 255, 255, 255, 255, 255})
	return a
}

func networkOrder(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}

func (s *socket) send(message []byte) error {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		failed = unix.Sendto(int(fd), packet(message), 0, s.everybody())
		return failed != unix.EAGAIN
	})
	if err != nil {
		return err
	}
	return failed
}

func (s *socket) receive(until time.Time) ([]byte, error) {
	if err := s.file.SetReadDeadline(until); err != nil {
		return nil, err
	}
	b := make([]byte, ipHeader+40+udpHeader+mostSize)
	for {
		n, err := s.file.Read(b)
		if err != nil {
			return nil, err
		}
		if message, ok := payload(b[:n]); ok {
			return message, nil
		}
	}
}

func (s *socket) Close() error { return s.file.Close() }
