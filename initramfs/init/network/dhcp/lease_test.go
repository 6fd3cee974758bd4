package dhcp

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

var (
	hardware  = []byte{0x52, 0x54, 0, 0, 0, 1}
	theServer = netip.MustParseAddr("10.1.2.1")
)

// answer is what a server says: an acknowledgement, with an address and options.
func answer(address string, options map[byte][]byte) *message {
	m := &message{op: reply, yours: netip.MustParseAddr(address), hardware: hardware, options: map[byte][]byte{
		optionKind:   {byte(ack)},
		optionServer: theServer.AsSlice(),
	}}
	for number, value := range options {
		m.options[number] = value
	}
	return m
}

// A mask with gaps would end the first process: netlink makes a broadcast address of it
// without looking.
func TestLeaseOf(t *testing.T) {
	for _, c := range []struct {
		address string
		options map[byte][]byte
		want    string
		last    time.Duration
	}{
		{"10.1.2.3", map[byte][]byte{optionMask: {255, 255, 255, 0}}, "10.1.2.3/24", time.Hour},
		{"10.1.2.3", map[byte][]byte{optionMask: {255, 255, 255, 255}}, "10.1.2.3/32", time.Hour},
		{"10.1.2.3", nil, "10.1.2.3/8", time.Hour},
		{"10.1.2.3", map[byte][]byte{optionMask: {255, 255}}, "10.1.2.3/8", time.Hour},
		{"10.1.2.3", map[byte][]byte{optionTime: {0, 0, 1, 0}}, "10.1.2.3/8", 256 * time.Second},
		{"10.1.2.3", map[byte][]byte{optionTime: {255, 255, 255, 255}}, "10.1.2.3/8", 0xffffffff * time.Second},
		{"10.1.2.3", map[byte][]byte{optionTime: {0, 0, 0, 0}}, "", 0},
		{"224.0.0.1", map[byte][]byte{optionMask: {255, 255, 255, 0}}, "", 0},
		{"0.0.0.0", map[byte][]byte{optionMask: {255, 255, 255, 0}}, "", 0},
		{"127.0.0.1", map[byte][]byte{optionMask: {255, 0, 0, 0}}, "", 0},
		{"10.1.2.3", map[byte][]byte{optionMask: {255, 0, 255, 0}}, "", 0},
		{"10.1.2.3", map[byte][]byte{optionMask: {0, 0, 0, 0}}, "", 0},
	} {
		m, err := read(answer(c.address, c.options).bytes())
		if err != nil {
			t.Fatal(err)
		}
		got, text := Lease{}, ""
		if got, err = leaseOf(m, time.Now()); err == nil {
			text = got.Address.String()
		}
		if text != c.want || got.Time != c.last {
			t.Errorf("%s %v: %q for %v, want %q for %v", c.address, c.options, text, got.Time, c.want, c.last)
		}
	}
}

func TestRoutesOf(t *testing.T) {
	router := []byte{10, 1, 2, 1}
	for _, c := range []struct {
		what    string
		options map[byte][]byte
		want    string
	}{
		{"nothing", nil, ""},
		{"a router, and the next", map[byte][]byte{optionRouter: {10, 1, 2, 1, 10, 1, 2, 9}}, "0.0.0.0/0 by 10.1.2.1"},
		{"half a router", map[byte][]byte{optionRouter: {10, 1}}, ""},
		{"routes in place of it", map[byte][]byte{optionRouter: router, optionRoutes: {24, 203, 0, 113, 10, 1, 2, 9, 0, 10, 1, 2, 8}}, "203.0.113.0/24 by 10.1.2.9, 0.0.0.0/0 by 10.1.2.8"},
		{"one on the same cable", map[byte][]byte{optionRoutes: {32, 203, 0, 113, 7, 0, 0, 0, 0}}, "203.0.113.7/32 by invalid IP"},
		{"bits behind the network", map[byte][]byte{optionRoutes: {9, 10, 255, 10, 1, 2, 9}}, "10.128.0.0/9 by 10.1.2.9"},
		{"too many bits", map[byte][]byte{optionRouter: router, optionRoutes: {33, 203, 0, 113, 7, 7, 10, 1, 2, 9}}, "0.0.0.0/0 by 10.1.2.1"},
		{"half a route", map[byte][]byte{optionRouter: router, optionRoutes: {24, 203, 0, 113, 10, 1}}, "0.0.0.0/0 by 10.1.2.1"},
	} {
		got := ""
		for i, r := range routesOf(answer("10.1.2.3", c.options)) {
			if i > 0 {
				got += ", "
			}
			got += r.To.String() + " by " + r.By.String()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// What is written is read back, an option in several pieces and one in a field for
// other things among it; of what is cut off, nothing.
func TestRead(t *testing.T) {
	whole := answer("10.1.2.3", map[byte][]byte{optionMask: {255, 255, 255, 0}}).bytes()
	if len(whole) != leastSize {
		t.Errorf("a message of %d bytes", len(whole))
	}
	for size := range placeOptions {
		if m, err := read(whole[:size]); err == nil {
			t.Fatalf("%d bytes are read: %+v", size, m)
		}
	}
	split := append(slices.Clone(whole[:placeOptions]), 0, optionText, 2, 'n', 'o', optionOverload, 1, 3, optionText, 1, 't', optionEnd)
	copy(split[placeFile:], []byte{optionText, 1, ' ', optionEnd})
	copy(split[placeSName:], []byte{optionText, 1, 'I', optionEnd})
	m, err := read(split)
	if err != nil || string(m.options[optionText]) != "not I" {
		t.Errorf("%+v, %v", m, err)
	}
	for name, bad := range map[string][]byte{
		"an option without its length": append(slices.Clone(whole[:placeOptions]), optionText),
		"an option that is cut off":    append(slices.Clone(whole[:placeOptions]), optionText, 9, 'n'),
		"another cookie":               slices.Concat(whole[:placeCookie], []byte{1, 2, 3, 4}, whole[placeOptions:]),
		"another hardware":             slices.Concat([]byte{2, 6}, whole[2:]),
	} {
		if m, err := read(bad); err == nil {
			t.Errorf("%s is read: %+v", name, m)
		}
	}
}

// FuzzLease takes any datagram of a server at all: what comes of it is an address of a
// host that the kernel can be given, and routes, or an error.
func FuzzLease(f *testing.F) {
	for _, m := range []*message{
		answer("10.1.2.3", map[byte][]byte{optionMask: {255, 255, 255, 0}, optionRouter: {10, 1, 2, 1}, optionTime: {0, 0, 2, 88}}),
		answer("224.0.0.1", nil),
		answer("10.1.2.3", map[byte][]byte{optionRoutes: {0, 10, 1, 2, 1, 24, 203, 0, 113, 0, 0, 0, 0}, optionOverload: {3}}),
	} {
		f.Add(m.bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		payload(data)
		m, err := read(data)
		if err != nil {
			return
		}
		if l, err := leaseOf(m, time.Now()); err == nil {
			if !l.Address.IsValid() || !l.Address.Addr().Is4() || l.Address.Bits() == 0 || l.Time <= 0 {
				t.Errorf("%+v gives %+v", m, l)
			}
			for _, r := range l.Routes {
				if !r.To.IsValid() || r.To != r.To.Masked() {
					t.Errorf("%+v gives the route %+v", m, r)
				}
			}
		}
	})
}
