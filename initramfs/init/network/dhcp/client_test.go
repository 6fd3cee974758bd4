package dhcp

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stranger is a network on which a function answers each message, with as many as it
// likes: the clock is the bubble's, so that nothing waits.
type stranger struct {
	answers func(said *message) [][]byte
	coming  [][]byte
	sent    []string // what the client has said, and when
	begun   time.Time
}

func (s *stranger) send(b []byte) error {
	said, err := read(b)
	if err != nil {
		return err
	}
	s.sent = append(s.sent, fmt.Sprintf("%d after %d", said.kind(), time.Since(s.begun)/time.Second))
	s.coming = append(s.coming, s.answers(said)...)
	return nil
}

func (s *stranger) receive(until time.Time) ([]byte, error) {
	if !time.Now().Before(until) || len(s.coming) == 0 {
		time.Sleep(time.Until(until))
		return nil, os.ErrDeadlineExceeded
	}
	b := s.coming[0]
	s.coming = s.coming[1:]
	time.Sleep(time.Millisecond)
	return b, nil
}

func (s *stranger) Close() error { return nil }

// with runs a test with a client on a network where somebody answers so.
func with(t *testing.T, answers func(said *message) [][]byte, test func(ctx context.Context, c *Client, s *stranger)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stranger{answers: answers, begun: time.Now()}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		test(ctx, &Client{wire: s, hardware: hardware}, s)
	})
}

// usual answers as a server does: it offers and gives 10.1.2.3.
func usual(said *message) *message {
	m := answer("10.1.2.3", map[byte][]byte{optionMask: {255, 255, 255, 0}})
	m.xid = said.xid
	if said.kind() == discover {
		m.options[optionKind] = []byte{byte(offer)}
	}
	return m
}

// What is no answer to what was asked is not looked at, however much of it comes before.
func TestOnlyAnswersCount(t *testing.T) {
	other := map[string]func(m *message){
		"another's number":    func(m *message) { m.xid++ },
		"another's hardware":  func(m *message) { m.hardware = []byte{0x52, 0x54, 0, 0, 0, 2} },
		"no reply":            func(m *message) { m.op = request },
		"another kind":        func(m *message) { m.options[optionKind] = []byte{9} },
		"no kind":             func(m *message) { delete(m.options, optionKind) },
		"no server":           func(m *message) { delete(m.options, optionServer) },
		"a kind of two bytes": func(m *message) { m.options[optionKind] = []byte{2, 5} },
	}
	flood := func(said *message) (all [][]byte) {
		for range 100 {
			for _, change := range other {
				m := usual(said)
				m.yours = netip.MustParseAddr("10.9.9.9")
				change(m)
				all = append(all, m.bytes())
			}
			all = append(all, nil, []byte("x"), make([]byte, mostSize))
		}
		return all
	}
	with(t, func(said *message) [][]byte { return append(flood(said), usual(said).bytes()) }, func(ctx context.Context, c *Client, s *stranger) {
		// A thousand bad ones take a second here, so the right one may come to the next question.
		got, err := c.Request(ctx)
		if err != nil || got.Address.String() != "10.1.2.3/24" {
			t.Errorf("%+v, %v", got, err)
		}
	})
	with(t, flood, func(ctx context.Context, c *Client, s *stranger) {
		if got, err := c.Request(ctx); err == nil || time.Since(s.begun) > 31*time.Second {
			t.Errorf("%+v after %v", got, time.Since(s.begun))
		}
	})
}

// A server that another one is not: whose offer was taken gives the address.
func TestOnlyTheChosenServerGives(t *testing.T) {
	with(t, func(said *message) [][]byte {
		foreign := usual(said)
		if said.kind() == ask {
			foreign.yours = netip.MustParseAddr("10.9.9.9")
			foreign.options[optionServer] = []byte{10, 1, 2, 9}
			if got, _ := said.address(optionServer); got != theServer {
				t.Errorf("asks %v", got)
			}
			if got, _ := said.address(optionAddress); got != netip.MustParseAddr("10.1.2.3") {
				t.Errorf("asks for %v", got)
			}
		}
		return [][]byte{foreign.bytes(), usual(said).bytes()}
	}, func(ctx context.Context, c *Client, s *stranger) {
		if got, err := c.Request(ctx); err != nil || got.Address.String() != "10.1.2.3/24" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// What gets lost is said again, later and later, and not for ever.
func TestAsksAgain(t *testing.T) {
	lost := 0
	with(t, func(said *message) [][]byte {
		if lost++; lost%3 != 0 {
			return nil
		}
		return [][]byte{usual(said).bytes()}
	}, func(ctx context.Context, c *Client, s *stranger) {
		if _, err := c.Request(ctx); err != nil || len(s.sent) != 6 {
			t.Errorf("%v, %v", s.sent, err)
		}
	})
	with(t, func(*message) [][]byte { return nil }, func(ctx context.Context, c *Client, s *stranger) {
		_, err := c.Request(ctx)
		if err == nil || err.Error() != "none offered one: no answer for 30s" {
			t.Errorf("%v", err)
		}
		if len(s.sent) < 5 || len(s.sent) > 6 {
			t.Errorf("said %v", s.sent)
		}
	})
	with(t, func(said *message) [][]byte {
		if said.kind() == ask {
			return nil
		}
		return [][]byte{usual(said).bytes()}
	}, func(ctx context.Context, c *Client, s *stranger) {
		if _, err := c.Request(ctx); err == nil || !strings.Contains(err.Error(), "10.1.2.1 did not say that it may be had: no answer for 30s") {
			t.Errorf("%v", err)
		}
	})
}

// A refused address is asked for anew from the beginning, with a pause; where every
// one is refused, its reason is told.
func TestRefused(t *testing.T) {
	refuse := func(said *message) [][]byte {
		m := usual(said)
		m.options[optionKind], m.options[optionText] = []byte{byte(nak)}, []byte("taken\x1b[2J")
		return [][]byte{m.bytes()}
	}
	asked := 0
	with(t, func(said *message) [][]byte {
		if said.kind() == ask {
			if asked++; asked == 1 {
				return refuse(said)
			}
		}
		return [][]byte{usual(said).bytes()}
	}, func(ctx context.Context, c *Client, s *stranger) {
		if got, err := c.Request(ctx); err != nil || got.Address.String() != "10.1.2.3/24" {
			t.Errorf("%+v, %v", got, err)
		}
	})
	with(t, func(said *message) [][]byte {
		if said.kind() == ask {
			return refuse(said)
		}
		return [][]byte{usual(said).bytes()}
	}, func(ctx context.Context, c *Client, s *stranger) {
		_, err := c.Request(ctx)
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), `10.1.2.1 says "taken\x1b[2J"`) || len(s.sent) > 80 {
			t.Errorf("%v after %d messages", err, len(s.sent))
		}
	})
}

// A renewal names the address that there is and no server, and says so where it is
// taken back.
func TestRenew(t *testing.T) {
	held := Lease{Address: netip.MustParsePrefix("10.1.2.3/24"), server: theServer}
	with(t, func(said *message) [][]byte {
		if _, named := said.options[optionServer]; named || said.kind() != ask || said.client != held.Address.Addr() {
			t.Errorf("said %+v", said)
		}
		m := usual(said)
		m.options[optionTime] = []byte{0, 0, 1, 0}
		return [][]byte{m.bytes()}
	}, func(ctx context.Context, c *Client, s *stranger) {
		if got, err := c.Renew(ctx, held); err != nil || got.Time != 256*time.Second {
			t.Errorf("%+v, %v", got, err)
		}
	})
	with(t, func(said *message) [][]byte {
		m := usual(said)
		m.options[optionKind] = []byte{byte(nak)}
		return [][]byte{m.bytes()}
	}, func(ctx context.Context, c *Client, s *stranger) {
		if _, err := c.Renew(ctx, held); !errors.Is(err, ErrRefused) {
			t.Errorf("%v", err)
		}
	})
}

// The headers are those of RFC 791 and 768, byte by byte, with sums that a program in
// another language has worked out.
func TestPacket(t *testing.T) {
	got := packet([]byte("abc"))
	const want = "4500001f0000000040117acf" + "00000000ffffffff" + "00440043000b3aef" + "616263"
	if hex.EncodeToString(got) != want {
		t.Errorf("got  %x\nwant %s", got, want)
	}
	if total := sum(0, got[:ipHeader]); total != 0xffff {
		t.Errorf("the header adds up to %x", total)
	}
	back := append(got, "the frame's end"...)
	back[ipHeader+3] = clientPort
	if message, ok := payload(back); !ok || string(message) != "abc" {
		t.Errorf("%q, %t", message, ok)
	}
	for place, value := range map[int]byte{0: 0x55, 3: 0xff, 6: 0x20, 7: 1, 9: 6, 23: 99, 24: 1, 25: 7} {
		bad := append([]byte{}, back...)
		bad[place] = value
		if message, ok := payload(bad); ok {
			t.Errorf("with %d at %d it holds %q", value, place, message)
		}
	}
}
