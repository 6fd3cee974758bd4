package nftables_test

import (
	"bytes"
	"testing"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/internal/randompolicy"
)

// What is read is of the form that is written, or refused.
func FuzzDecode(f *testing.F) {
	p, err := firewall.Resolve(randompolicy.NIC("10.0.0.80", "fd00::80"), firewall.Rules{})
	if err != nil {
		f.Fatal(err)
	}
	table, err := nftables.Compile(p, device)
	if err != nil {
		f.Fatal(err)
	}
	seed, err := table.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := nftables.Decode(data)
		if err != nil {
			return
		}
		if text := table.Text(); bytes.ContainsAny(text, "\x00\x1b") {
			t.Errorf("the text is not for people: %q", text)
		}
		again, err := table.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nftables.Decode(again); err != nil {
			t.Errorf("what was written cannot be read: %v\n%s", err, again)
		}
	})
}
