// Command hostile is a first process for tests of what a machine may do to its
// host. Built with -ldflags "-X main.deed=…" it
//
//   - sleeps and never speaks with its host ("silence", what it does by itself);
//   - ends at once ("end");
//   - sends noise without end ("noise");
//   - greets its host, and sends noise without end ("greeting");
//   - greets its host, and answers its first request with data that is none of
//     the protocol's ("frames");
//   - speaks the protocol, and tells without end that its service is about to
//     start ("status").
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/machine"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

var deed = "silence"

func main() {
	switch deed {
	case "end":
		return
	case "silence":
		time.Sleep(1 << 62)
	}
	if err := machine.Boot(); err != nil {
		panic(err)
	}
	port, err := machine.OpenPort(manifest.PortName)
	if err != nil {
		panic(err)
	}
	noise := bytes.Repeat([]byte("noise "), 10_000)
	switch deed {
	case "noise":
		flood(port, noise)
	case "greeting":
		greet(port)
		flood(port, noise)
	case "frames":
		greet(port)
		flood(port, frame())
	case "status":
		panic(channel.Serve(port, tellStatus))
	}
}

// flood writes the data over and over.
func flood(port io.Writer, data []byte) {
	for {
		if _, err := port.Write(data); err != nil {
			panic(err)
		}
	}
}

// greet answers the host's greeting as docs/channel.md says, and reads no more.
func greet(port io.ReadWriter) {
	in := bufio.NewReader(port)
	magic := []byte("\xff\x00sbx-host-hello\n")
	for read := []byte{}; !bytes.HasSuffix(read, magic); {
		b, err := in.ReadByte()
		if err != nil {
			panic(err)
		}
		read = append(read[max(0, len(read)-len(magic)):], b)
	}
	tail := make([]byte, 2+16) // the version and the nonce
	if _, err := io.ReadFull(in, tail); err != nil {
		panic(err)
	}
	if _, err := port.Write(append([]byte("\xff\x00sbx-guest-here\n"), tail...)); err != nil {
		panic(err)
	}
}

// frame is data of the multiplexer (yamux) on the host's first stream.
func frame() []byte {
	const size = 64 << 10
	header := []byte{0, 0, 0, 0, 0, 0, 0, 1}
	return append(binary.BigEndian.AppendUint32(header, size), make([]byte, size)...)
}

func tellStatus(_ channel.Request, s *channel.Stream) {
	for s.SendStatus(channel.Status{State: channel.Starting}) == nil {
	}
}
