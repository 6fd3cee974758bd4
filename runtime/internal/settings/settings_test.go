package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	for _, c := range []struct {
		text string
		want Firewall
		says string
	}{
		{`{}`, Prefer, ""},
		{`{"firewall": "prefer"}`, Prefer, ""},
		{`{"firewall": "nft"}`, NFT, ""},
		{"{\n\t\"firewall\": \"nwfilter\"\n}\n", NWFilter, ""},
		{`{"firewall": "iptables"}`, "", `firewall is "iptables", and can be "prefer", "nft" or "nwfilter"`},
		{`{"firewall": ""}`, "", `firewall is ""`},
		{"{\n\"firewal\": \"nft\"}", "", `unknown field "firewal"`},
		{"{\n\n\"firewall\": nft}", "", "line 3: "},
		{`{} {}`, "", "something follows"},
		{``, "", "EOF"},
		{`{` + strings.Repeat(" ", most), "", "larger than"},
	} {
		path := filepath.Join(t.TempDir(), "host.json")
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path)
		if got.Firewall != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.40q is %q: %v, want %q: %s", c.text, got.Firewall, err, c.want, c.says)
		}
	}
}

func TestNoSettings(t *testing.T) {
	if got, err := Read(filepath.Join(t.TempDir(), "host.json")); err != nil || got.Firewall != Prefer {
		t.Errorf("without a file it is %q: %v", got.Firewall, err)
	}
}

// What others can write is no administrator's.
func TestOthersSettings(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "host.json")
	if err := os.WriteFile(path, []byte(`{"firewall": "nwfilter"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil {
		t.Error("what everyone can write is taken")
	}
	if _, err := Read(dir); err == nil {
		t.Error("a folder is taken")
	}
}
