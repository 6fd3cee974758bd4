package firewall

import (
	"testing"

	"github.com/sbx-dev/sbx/schema"
)

// FuzzParsePacket reads any text at all as a packet. What it takes, the rules judge.
func FuzzParsePacket(f *testing.F) {
	p, err := Resolve(nic("10.0.0.2", "fd00::2"), allow(schema.Rule{In: &schema.Match{TCP: port(443)}}))
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{"in tcp 203.0.113.5 -> :443", "out icmpv6 -> [fe80::1] type 128/0", "in udp [fd00::1]:53 -> :1 state reply mac 52:54:00:00:00:01", "out 47 -> 10.0.0.1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if packet, err := p.ParsePacket(text); err == nil {
			p.Eval(packet)
		}
	})
}
