package arrivals

import (
	"bytes"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// frames are conversations' first packets, and what is none.
var frames = map[string]struct {
	frame []byte
	want  string
}{
	"tcp":             {frame(unix.ETH_P_IP, ip4(6, 0), tcp(80, 0x02)), "tcp 10.0.0.9 10.0.0.2:80"},
	"tcp, an answer":  {frame(unix.ETH_P_IP, ip4(6, 0), tcp(80, 0x12)), ""},
	"tcp, later":      {frame(unix.ETH_P_IP, ip4(6, 0), tcp(80, 0x10)), ""},
	"a fragment":      {frame(unix.ETH_P_IP, ip4(6, 5), tcp(80, 0x02)), ""},
	"udp":             {frame(unix.ETH_P_IP, ip4(17, 0), []byte{0, 9, 0, 53, 0, 8, 0, 0}), "udp 10.0.0.9 10.0.0.2:53"},
	"tcp by IPv6":     {frame(unix.ETH_P_IPV6, ip6(6), tcp(443, 0x02)), "tcp fd00::9 [fd00::2]:443"},
	"icmp":            {frame(unix.ETH_P_IP, ip4(1, 0), make([]byte, 20)), ""},
	"arp":             {frame(unix.ETH_P_ARP, make([]byte, 28), nil), ""},
	"no head at all":  {make([]byte, 5), ""},
	"a cut-off one":   {frame(unix.ETH_P_IP, ip4(6, 0), nil), ""},
	"a head too long": {frame(unix.ETH_P_IP, append([]byte{0x4f}, ip4(6, 0)[1:]...), tcp(80, 0x02)[:10]), ""},
}

func frame(kind uint16, head, body []byte) []byte {
	return bytes.Join([][]byte{make([]byte, 12), {byte(kind >> 8), byte(kind)}, head, body}, nil)
}

func ip4(proto, fragment byte) []byte {
	return []byte{0x45, 0, 0, 40, 0, 0, 0, fragment, 64, proto, 0, 0, 10, 0, 0, 9, 10, 0, 0, 2}
}

func ip6(proto byte) []byte {
	head := make([]byte, 40)
	head[0], head[6], head[8], head[23], head[24], head[39] = 0x60, proto, 0xfd, 9, 0xfd, 2
	return head
}

func tcp(port uint16, flags byte) []byte {
	return append([]byte{0x9c, 0x40, byte(port >> 8), byte(port)}, append(make([]byte, 9), flags, 0, 0, 0, 0, 0, 0)...)
}

func TestParse(t *testing.T) {
	for name, c := range frames {
		got := ""
		if p, ok := parse(c.frame); ok {
			got = fmt.Sprintf("%s %v %v", p.Proto, p.From, p.To)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Whatever comes, nothing is read that is not there.
func FuzzParse(f *testing.F) {
	for _, c := range frames {
		f.Add(c.frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		if p, ok := parse(frame); ok && (p.Proto == "" || !p.From.IsValid() || !p.To.IsValid()) {
			t.Errorf("%x: %+v", frame, p)
		}
	})
}
