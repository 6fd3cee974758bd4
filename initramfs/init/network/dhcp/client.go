// Package dhcp gets an address from a network's DHCP server, and keeps it (RFC 2131).
//
// It is a client of our own because the ones that are maintained bring what the first
// process of a sandbox should not have: github.com/insomniacslk/dhcp a decompressor,
// which no part of it calls, and those on gopacket every protocol there is. A server
// is whoever answers on the sandbox's network, and so hostile: its messages are
// bounded and checked, and answers to what was not asked are not looked at.
package dhcp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"time"
)

// How long an answer may take: twice as long each time (RFC 2131, section 4.1, whose
// four seconds are those of networks with many relays).
const (
	firstWait = time.Second
	lastWait  = 16 * time.Second
)

// Client asks on one network interface. It is not safe for concurrent use.
type Client struct {
	wire     wire
	hardware net.HardwareAddr
}

// wire carries messages to whoever is on a network, and back.
type wire interface {
	send(message []byte) error
	// receive fails with os.ErrDeadlineExceeded once the time is over.
	receive(until time.Time) ([]byte, error)
	Close() error
}

// Open opens an interface, which needs no address yet, but has to be up.
func Open(name string) (*Client, error) {
	on, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	if len(on.HardwareAddr) != addressLen {
		return nil, fmt.Errorf("%s is no Ethernet", name)
	}
	w, err := open(on.Index)
	if err != nil {
		return nil, err
	}
	return &Client{wire: w, hardware: on.HardwareAddr}, nil
}

// Close ends what Open has begun.
func (c *Client) Close() error { return c.wire.Close() }

// ErrRefused says that a server takes an address back that it was asked for.
var ErrRefused = errors.New("the DHCP server refused the address")

// Request gets an address, from the server that offers one first.
func (c *Client) Request(ctx context.Context) (Lease, error) {
	for {
		lease, err := c.request(ctx)
		if !errors.Is(err, ErrRefused) {
			return lease, err
		}
		select { // the server may have given it to another meanwhile
		case <-ctx.Done():
			return Lease{}, err
		case <-time.After(around(firstWait)):
		}
	}
}

func (c *Client) request(ctx context.Context) (Lease, error) {
	m := c.message(discover)
	offered, err := c.exchange(ctx, m, netip.Addr{}, offer)
	if err != nil {
		return Lease{}, fmt.Errorf("none offered one: %w", err)
	}
	server, _ := offered.address(optionServer)
	wanted := c.message(ask)
	wanted.xid = m.xid
	wanted.options[optionServer] = server.AsSlice()
	wanted.options[optionAddress] = offered.yours.AsSlice()
	return c.confirmed(ctx, wanted, server)
}

// Renew asks the server that gave a lease to give it for longer. It says ErrRefused
// where the server does not.
func (c *Client) Renew(ctx context.Context, held Lease) (Lease, error) {
	m := c.message(ask)
	m.client = held.Address.Addr()
	return c.confirmed(ctx, m, held.server)
}

// confirmed sends what asks for an address, until the server gives or refuses it.
func (c *Client) confirmed(ctx context.Context, m *message, server netip.Addr) (Lease, error) {
	answer, err := c.exchange(ctx, m, server, ack, nak)
	if err != nil {
		return Lease{}, fmt.Errorf("%v did not say that it may be had: %w", server, err)
	}
	if answer.kind() == nak {
		return Lease{}, fmt.Errorf("%w: %v says %q", ErrRefused, server, answer.options[optionText])
	}
	return leaseOf(answer, time.Now())
}

// message is one to servers, with a number that nobody else can guess.
func (c *Client) message(k kind) *message {
	return &message{op: request, xid: rand.Uint32(), hardware: c.hardware, options: map[byte][]byte{
		optionKind:     {byte(k)},
		optionWanted:   {optionMask, optionRouter, optionRoutes},
		optionMostSize: binary.BigEndian.AppendUint16(nil, mostSize),
	}}
}

// exchange sends a message again and again until one of some kinds answers it, of a
// server that says its address: the given one, or any where it is not valid.
func (c *Client) exchange(ctx context.Context, m *message, server netip.Addr, kinds ...kind) (*message, error) {
	begun := time.Now()
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		m.seconds = uint16(min(time.Since(begun)/time.Second, 0xffff))
		if err := c.wire.send(m.bytes()); err != nil {
			return nil, err
		}
		until := time.Now().Add(around(wait))
		if end, has := ctx.Deadline(); has && end.Before(until) {
			until = end
		}
		answer, err := c.await(until, m, server, kinds)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return answer, err
		}
		if ctx.Err() != nil || reached(ctx) {
			return nil, fmt.Errorf("no answer for %v", time.Since(begun).Round(time.Second))
		}
	}
}

// reached says whether a context's time is over, which it may learn of a moment later.
func reached(ctx context.Context) bool {
	end, has := ctx.Deadline()
	return has && !time.Now().Before(end)
}

// await waits for an answer, however much else comes.
func (c *Client) await(until time.Time, m *message, server netip.Addr, kinds []kind) (*message, error) {
	for {
		b, err := c.wire.receive(until)
		if err != nil {
			return nil, err
		}
		answer, err := read(b)
		if err != nil || answer.op != reply || answer.xid != m.xid || !bytes.Equal(answer.hardware, c.hardware) {
			continue
		}
		from, has := answer.address(optionServer)
		if !has || server.IsValid() && from != server {
			continue
		}
		for _, k := range kinds {
			if answer.kind() == k {
				return answer, nil
			}
		}
	}
}

// around is a time a tenth longer or shorter, so that the sandboxes of a host that
// start at once do not ask at once for ever.
func around(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5)
}
