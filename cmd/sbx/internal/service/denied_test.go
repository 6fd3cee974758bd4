package service

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/runtime/denied"
)

// What is printed can be pasted, says where it belongs, and gives a terminal no orders.
func TestPrintDenied(t *testing.T) {
	at := time.Date(2026, 1, 31, 8, 0, 0, 0, time.Local)
	zero, eight := uint8(0), uint8(8)
	from, to := netip.MustParseAddr("10.83.0.7"), netip.MustParseAddr("10.83.0.80")
	report := &denied.Report{Walls: []denied.Wall{{Wall: "sbx-apache", List: "network.allow", In: 14, Out: 3}}, Untold: "nobody \x1b[2Jlistens", Forgotten: 2, Missed: 3}
	var out bytes.Buffer
	printWalls(&out, report)
	for _, p := range []denied.Packet{
		{Count: 4, Last: at, Direction: "in", Protocol: "tcp", From: from, FromPort: 40112, To: to, ToPort: 8080, List: "network.allow", Rule: `{in: tcp: [8080], from: "10.83.0.7"}`},
		{Count: 1, Last: at, Direction: "out", Protocol: "icmp", From: to, To: from, Type: &eight, Code: &zero, List: "networks.lan.allow", Rule: `{out: icmp: ["echo-request"], to: "10.83.0.7"}`, Why: "of note"},
		{Count: 2, Last: at, Direction: "in", Protocol: "ethertype 0x88cc", List: "network.allow", Why: "it is no IP"},
	} {
		if err := printDenied(&out, p); err != nil {
			t.Fatal(err)
		}
	}
	if err := printLost(&out, report); err != nil {
		t.Fatal(err)
	}
	const want = `Packets dropped by sbx-apache: 14 on their way in, 3 on their way out.
What is dropped now is not told: nobody <U+001B>[2Jlistens.

in tcp 10.83.0.7:40112 -> 10.83.0.80:8080
    4 times, last 2026-01-31 08:00:00
    to let it pass, in network.allow:
        {in: tcp: [8080], from: "10.83.0.7"},

out icmp 10.83.0.80 -> 10.83.0.7 type 8/0
    once, 2026-01-31 08:00:00
    of note
    to let it pass, in networks.lan.allow:
        {out: icmp: ["echo-request"], to: "10.83.0.7"},

in ethertype 0x88cc
    2 times, last 2026-01-31 08:00:00
    no rule: it is no IP

Kinds of packets that had to make room for others: 2.

Packets that came faster than they could be noted: 3.
`
	if out.String() != want {
		t.Errorf("it prints\n%s\nwant\n%s", out.String(), want)
	}
}
