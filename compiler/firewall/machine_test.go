package firewall

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// labInterface is the sandbox's card on the bridge, behind the filter.
func labInterface() libvirtxml.DomainInterface {
	return libvirtxml.DomainInterface{
		MAC:       &libvirtxml.DomainInterfaceMAC{Address: labCard.MAC.String()},
		Source:    &libvirtxml.DomainInterfaceSource{Bridge: &libvirtxml.DomainInterfaceSourceBridge{Bridge: labBridge}},
		Target:    &libvirtxml.DomainInterfaceTarget{Dev: labDevice},
		FilterRef: (&Compiled{Policy: &Policy{iface: labCard}}).Ref(),
	}
}

// startMachine starts a machine on the bridge, whose network back end takes
// frames from one socket as if its card had sent them, and hands those for its
// card to another.
func startMachine(t *testing.T) sandboxEnd {
	t.Helper()
	dir, err := os.MkdirTemp("/run", "lab") // socket paths are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	card := labInterface()
	card.Model = &libvirtxml.DomainInterfaceModel{Type: "e1000"} // frames without a virtio header
	card.ROM = &libvirtxml.DomainROM{Enabled: "no"}
	domain := &libvirtxml.Domain{
		Type: "qemu", Name: labDomain, Memory: &libvirtxml.DomainMemory{Value: 65536, Unit: "KiB"},
		OS:      &libvirtxml.DomainOS{Type: &libvirtxml.DomainOSType{Arch: "x86_64", Machine: "q35", Type: "hvm"}},
		Devices: &libvirtxml.DomainDeviceList{Interfaces: []libvirtxml.DomainInterface{card}},
		QEMUCommandline: &libvirtxml.DomainQEMUCommandline{Args: []libvirtxml.DomainQEMUCommandlineArg{
			{Value: "-chardev"}, {Value: "socket,id=labin,server=on,wait=off,path=" + in},
			{Value: "-chardev"}, {Value: "socket,id=labout,server=on,wait=off,path=" + out},
			{Value: "-object"}, {Value: "filter-redirector,id=labfin,netdev=hostnet0,queue=rx,indev=labin"},
			{Value: "-object"}, {Value: "filter-redirector,id=labfout,netdev=hostnet0,queue=tx,outdev=labout"},
		}},
	}
	text, err := domain.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	virsh(t, "-c", "qemu:///system", "create", writeFile(t, text))
	t.Cleanup(func() { virsh(t, "-c", "qemu:///system", "destroy", labDomain) })
	return &socketEnd{in: dial(t, in), out: dial(t, out)}
}

func dial(t *testing.T, path string) (c net.Conn) {
	t.Helper()
	testhost.WaitFor(t, path, 10*time.Second, func() (ok bool) {
		var err error
		c, err = net.Dial("unix", path)
		return err == nil
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// socketEnd speaks with QEMU's filter-redirector: each frame behind its length.
type socketEnd struct {
	in, out net.Conn
	partial []byte
}

func (s *socketEnd) send(frame []byte) error {
	_, err := s.in.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return err
}

func (s *socketEnd) received() (tokens []uint32) {
	buffer := make([]byte, 1<<16)
	for {
		if err := s.out.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			panic(err) // a unix socket has deadlines
		}
		n, err := s.out.Read(buffer)
		s.partial = append(s.partial, buffer[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) || n == 0 {
			break
		}
	}
	for len(s.partial) >= 4 {
		size := int(binary.BigEndian.Uint32(s.partial))
		if len(s.partial) < 4+size {
			break
		}
		if number, ok := tokenIn(s.partial[4 : 4+size]); ok {
			tokens = append(tokens, number)
		}
		s.partial = s.partial[4+size:]
	}
	return tokens
}
