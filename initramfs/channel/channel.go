// Package channel is how a host process and a sandbox's first process
// (sbx-init) speak with each other, over one byte stream: a unix socket into a
// container, a virtio-serial port into a machine. docs/channel.md describes the
// protocol on the wire.
//
// The two ends do not trust each other alike. The guest believes the host. The
// host treats all that arrives as hostile: every frame, list and reply has a
// bound, replies to control requests have a time limit, a guest can open
// nothing, and text from a guest passes through Clean before a person sees it.
package channel

import (
	"io"
	"time"

	"github.com/hashicorp/yamux"
)

// Version is the protocol's. Both ends must speak the same one.
const Version = 2

// The bounds of the protocol.
const (
	// MaxPayload is the largest payload of one frame, in bytes.
	MaxPayload = 1<<16 - 1
	// chunk is how much data one frame carries; a pipe's usual buffer is 64 KiB.
	chunk = 32 << 10
	// OutputChunk is how much of a command's output one frame carries at most, in bytes:
	// with its headers it is two of what a virtio port takes at a time.
	OutputChunk = 1<<16 - frameHeader - muxHeader
	// StdinWindow is how much of standard input may be under way that the
	// command has not yet read, in bytes.
	StdinWindow = 256 << 10
	// OutputWindow is how much of a stream's data the host has room for that nobody has
	// read yet, in bytes. A guest is told of more room when half of it is free, which
	// interrupts it.
	OutputWindow = 1 << 20
)

// The time limits of the host's side. A guest's own side has none: it serves
// whoever owns it for as long as they like, also when they are suspended.
const (
	replyTimeout = 30 * time.Second // a control request's answer
	writeTimeout = 60 * time.Second // the stream takes no bytes at all
)

// muxConfig is what both ends run yamux with. Keep-alives are off, so that a
// suspended sandbox keeps its connection; the guard refuses pings altogether.
func muxConfig() *yamux.Config {
	c := yamux.DefaultConfig()
	c.EnableKeepAlive = false
	c.LogOutput = io.Discard
	return c
}

func hostConfig() *yamux.Config {
	c := muxConfig()
	c.AcceptBacklog = 1
	c.MaxStreamWindowSize = OutputWindow
	c.ConnectionWriteTimeout = writeTimeout
	c.StreamOpenTimeout = 0 // every request waits for its own reply
	c.StreamCloseTimeout = time.Second
	return c
}

func guestConfig() *yamux.Config {
	c := muxConfig()
	c.ConnectionWriteTimeout = 365 * 24 * time.Hour
	return c
}
