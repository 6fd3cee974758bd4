// Package droplog keeps a log of what a sandbox's inner walls drop. Root opens the socket
// by which the kernel tells it (nfnetlink_log), and hands it to the sandbox's keeper, which
// has no privilege to open one; what the keeper writes, root reads as what anybody may have
// written.
package droplog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/runtime/internal/innerwall"
)

// What linux/netfilter/nfnetlink_log.h calls them.
const (
	messagePacket = unix.NFNL_SUBSYS_ULOG << 8
	messageConfig = unix.NFNL_SUBSYS_ULOG<<8 | 1

	configCommand = 1
	configMode    = 2
	configTimeout = 4
	configFlags   = 6

	commandBind = 1
	copyPacket  = 2
	timeout     = 10 // hundredths of a second for which the kernel gathers packets
	numbered    = 1  // each packet has a number, so that one sees what is missing
)

// Listen opens a socket at which the kernel tells what the named walls drop, whether they
// are there yet or not. Where it cannot be opened, because the kernel has no inner walls or
// somebody else listens already, it is the null device: no wall depends on it, and what is
// dropped is counted then, and not told.
func Listen(walls []string) (*os.File, error) {
	if len(walls) > 0 && innerwall.Able() == nil {
		if f, err := listen(walls); err == nil {
			return f, nil
		}
	}
	return os.Open(os.DevNull)
}

// busyLimit is how long a keeper's socket may take to close once its lock is free.
const busyLimit = time.Second

func listen(walls []string) (*os.File, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot listen to what is dropped: %w", err)
	}
	defer conn.Close()
	for _, name := range walls {
		for limit := time.Now().Add(busyLimit); ; time.Sleep(20 * time.Millisecond) {
			_, err := conn.Execute(bind(innerwall.Group(name)))
			if err == nil {
				break
			}
			if !errors.Is(err, unix.EBUSY) || time.Now().After(limit) {
				return nil, fmt.Errorf("cannot listen to what the inner wall %s drops: %w", name, err)
			}
		}
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var f *os.File
	var failed error
	err = raw.Control(func(fd uintptr) {
		var own int
		if own, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3); failed == nil {
			f = os.NewFile(uintptr(own), "what is dropped")
		}
	})
	return f, errors.Join(err, failed)
}

// bind asks for what is told to a group, with as much of each packet as a wall gives.
func bind(group uint16) netlink.Message {
	data := []byte{unix.AF_UNSPEC, 0}
	data = binary.BigEndian.AppendUint16(data, group)
	e := netlink.NewAttributeEncoder()
	e.Uint8(configCommand, commandBind)
	e.Bytes(configMode, []byte{0, 0, 0xff, 0xff, copyPacket, 0})
	e.Bytes(configTimeout, []byte{0, 0, 0, timeout})
	e.Bytes(configFlags, []byte{0, numbered})
	attributes, err := e.Encode()
	if err != nil {
		panic(err) // of attributes longer than any, and these are fixed
	}
	return netlink.Message{Header: netlink.Header{Type: messageConfig, Flags: netlink.Request | netlink.Acknowledge}, Data: append(data, attributes...)}
}
