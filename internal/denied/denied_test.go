package denied

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

func ip4(protocol byte, offset uint16, data ...byte) []byte {
	head := append(make([]byte, 12), 10, 0, 0, 9, 10, 0, 0, 2)
	head[0], head[9] = 0x45, protocol
	binary.BigEndian.PutUint16(head[6:], offset)
	return append(head, data...)
}

func ip6(next byte, data ...byte) []byte {
	from, to := netip.MustParseAddr("fd00::9"), netip.MustParseAddr("fd00::2")
	head := append(append(make([]byte, 8), from.AsSlice()...), to.AsSlice()...)
	head[0], head[6] = 0x60, next
	return append(head, data...)
}

func tcp(port uint16, flags byte) []byte {
	data := make([]byte, 20)
	binary.BigEndian.PutUint16(data, 40000)
	binary.BigEndian.PutUint16(data[2:], port)
	data[13] = flags
	return data
}

func arp() []byte {
	return []byte{0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1}
}

// packets are what walls meet, with what is kept of each.
var packets = map[string]struct {
	ether uint16
	data  []byte
	want  string
}{
	"tcp begins":         {IPv4, ip4(TCP, 0, tcp(80, 2)...), "10.0.0.9:40000 10.0.0.2 6 port 80 begins"},
	"tcp goes on":        {IPv4, ip4(TCP, 0, tcp(80, 0x12)...), "10.0.0.9:40000 10.0.0.2 6 port 80"},
	"a first fragment":   {IPv4, ip4(TCP, 0x2000, tcp(80, 2)...), "10.0.0.9:40000 10.0.0.2 6 port 80 begins"},
	"a later fragment":   {IPv4, ip4(TCP, 1, tcp(80, 2)...), "10.0.0.9:0 10.0.0.2 6 later"},
	"udp":                {IPv4, ip4(UDP, 0, tcp(53, 0)[:8]...), "10.0.0.9:40000 10.0.0.2 17 port 53"},
	"sctp":               {IPv4, ip4(SCTP, 0, append(tcp(3868, 0)[:12], 1)...), "10.0.0.9:40000 10.0.0.2 132 port 3868 begins"},
	"icmp":               {IPv4, ip4(ICMP, 0, 3, 4), "10.0.0.9:0 10.0.0.2 1 type 3/4"},
	"icmp of the other":  {IPv4, ip4(ICMPv6, 0, 3, 4), "10.0.0.9:0 10.0.0.2 58"},
	"another protocol":   {IPv4, ip4(47, 0, 1, 2, 3, 4), "10.0.0.9:0 10.0.0.2 47"},
	"options":            {IPv4, append(append([]byte{0x46}, ip4(UDP, 0)[1:]...), append([]byte{1, 1, 1, 1}, tcp(53, 0)[:8]...)...), "10.0.0.9:40000 10.0.0.2 17 port 53"},
	"a head too long":    {IPv4, append([]byte{0x4f}, ip4(UDP, 0, tcp(53, 0)...)[1:]...), "10.0.0.9:0 10.0.0.2 17"},
	"cut":                {IPv4, ip4(UDP, 0, 1, 2, 3), "10.0.0.9:0 10.0.0.2 17"},
	"not of its version": {IPv4, ip6(TCP), "invalid IP:0 invalid IP 0"},
	"ipv6":               {IPv6, ip6(TCP, tcp(80, 2)...), "fd00::9:40000 fd00::2 6 port 80 begins"},
	"icmpv6":             {IPv6, ip6(ICMPv6, 128, 0), "fd00::9:0 fd00::2 58 type 128/0"},
	"behind options":     {IPv6, ip6(60, append([]byte{UDP, 1, 14: 0, 15: 0}, tcp(53, 0)[:8]...)...), "fd00::9:40000 fd00::2 17 port 53"},
	"a fragment of ipv6": {IPv6, ip6(44, append([]byte{UDP, 0, 0, 8, 0, 0, 0, 1}, tcp(53, 0)[:8]...)...), "fd00::9:0 fd00::2 17 later"},
	"headers for ever":   {IPv6, ip6(60, bytes.Repeat([]byte{60, 0, 0, 0, 0, 0, 0, 0}, 20)...), "fd00::9:0 fd00::2 60"},
	"arp":                {ARP, arp(), "10.0.0.9:0 10.0.0.1 0"},
	"another kind":       {0x88cc, arp(), "invalid IP:0 invalid IP 0"},
}

func told(p Packet, sourcePort uint16) string {
	text := fmt.Sprintf("%v:%d %v %d", p.From, sourcePort, p.To, p.Protocol)
	for _, one := range []struct {
		is   bool
		text string
	}{{p.Later, " later"}, {p.Port > 0, fmt.Sprintf(" port %d", p.Port)}, {p.Begins, " begins"}, {p.Type > 0, fmt.Sprintf(" type %d/%d", p.Type, p.Code)}} {
		if one.is {
			text += one.text
		}
	}
	return text
}

func TestRead(t *testing.T) {
	for name, c := range packets {
		p := Packet{Ether: c.ether}
		port := p.Read(c.data)
		if got := told(p, port); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// FuzzRead reads any packet; what comes of it can be written and read again.
func FuzzRead(f *testing.F) {
	for _, c := range packets {
		f.Add(c.ether, c.data)
	}
	f.Fuzz(func(t *testing.T, ether uint16, data []byte) {
		p := Packet{Ether: ether}
		port := p.Read(data)
		l := Log{Hears: true}
		l.Add(p, port, time.Unix(1, 0).UTC())
		again(t, &l)
	})
}

// FuzzDecode reads anything as a log. What it takes is bounded, and stays the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"hears":true,"entries":[{"wall":"sbx-a","ether":2048,"from":"10.0.0.9","to":"10.0.0.2","protocol":6,"port":80,"begins":true,"count":3,"first":"2026-01-02T03:04:05Z","last":"2026-01-02T03:04:05Z"}]}`))
	f.Add([]byte(`{"entries":[{"from":"fe80::1%x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if l, err := Decode(data); err == nil {
			again(t, l)
		}
	})
}

func again(t *testing.T, l *Log) {
	t.Helper()
	data, err := l.Encode()
	if err != nil {
		return // of a time in the year 10,000, which JSON has not
	}
	back, err := Decode(data)
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	if more, err := back.Encode(); err != nil || !bytes.Equal(more, data) {
		t.Errorf("%s became %s: %v", data, more, err)
	}
}

// However much is dropped, the log stays bounded; what came often stays, and neither
// direction has the other's forgotten.
func TestTheLogIsBounded(t *testing.T) {
	var l Log
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	add := func(p Packet, times int) {
		for range times {
			at = at.Add(time.Millisecond)
			l.Add(p, 40000, at)
		}
	}
	often := Packet{Wall: "sbx-a", Ether: IPv4, From: netip.MustParseAddr("10.0.0.2"), Port: 25}
	tried := Packet{Wall: "sbx-a", In: true, Ether: IPv4, From: netip.MustParseAddr("10.0.0.9"), Port: 22}
	add(often, 3)
	add(tried, 1)
	const flood = 3 * Most
	for n := range flood {
		from := netip.AddrFrom4([4]byte{11, 0, byte(n >> 8), byte(n)})
		add(Packet{Wall: "sbx-a", Ether: IPv4, From: from, Port: 1}, 1)
	}
	if len(l.Entries) != Most+1 || l.Forgotten != flood+1-Most {
		t.Errorf("%d entries, %d forgotten", len(l.Entries), l.Forgotten)
	}
	found := map[Packet]uint64{}
	for _, e := range l.Entries {
		found[e.Packet] = e.Count
	}
	if found[often] != 3 || found[tried] != 1 {
		t.Errorf("kept: %d of what came often, %d of the other direction", found[often], found[tried])
	}
	data, err := l.Encode()
	if err != nil || len(data) > MaxSize {
		t.Errorf("%d bytes: %v", len(data), err)
	}
	back, err := Decode(data)
	if err != nil || !reflect.DeepEqual(back, &l) {
		t.Errorf("it is read as another one: %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	many, err := json.Marshal(Log{Entries: make([]Entry, 2*Most+1)})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"too many": many,
		"too long": append(bytes.Repeat([]byte(" "), MaxSize), "{}"...),
		"a zone":   []byte(`{"entries":[{"from":"fe80::1%eth0"}]}`),
		"half":     []byte(`{"entries":[`),
	} {
		if l, err := Decode(data); err == nil {
			t.Errorf("%s: it is read as %+v", name, l)
		}
	}
}
