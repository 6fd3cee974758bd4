package netrules

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/sbx-dev/sbx/internal/alone"
)

func TestMain(m *testing.M) {
	alone.Main(m, map[string]func() error{"forget": forgetTask})
}

// ruleset is what libvirt 11.3 writes for two networks; MINE is the one that goes, where it
// has forgotten it, and restarted once since. Behind each rule of it stands a comment.
const ruleset = `
table ip libvirt_network {
	chain forward {
		type filter hook forward priority filter; policy accept;
		counter jump guest_cross
		counter jump guest_input
		counter jump guest_output
	}
	chain guest_output {
		ip saddr 10.84.0.0/24 iif "mine0" counter accept comment "MINE"
		iif "mine0" counter reject comment "MINE"
		ip saddr 10.84.0.0/24 iif "mine0" counter accept comment "MINE"
		iif "mine0" counter reject comment "MINE"
		ip saddr 10.84.1.0/24 iif "other0" counter accept
		ip saddr 10.84.0.0/25 iif "other0" counter accept
		ip saddr 10.84.0.0/16 iif "other0" counter accept
		iif "other0" counter reject
	}
	chain guest_input {
		oif "mine0" ip daddr 10.84.0.0/24 ct state established,related counter accept comment "MINE"
		oif "mine0" counter reject comment "MINE"
		oif "other0" ip daddr 10.84.1.0/24 ct state established,related counter accept
		oif "other0" counter reject
	}
	chain guest_cross {
		iif "mine0" oif "mine0" counter accept comment "MINE"
		iif "other0" oif "other0" counter accept
	}
	chain guest_nat {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 10.84.0.0/24 ip daddr 224.0.0.0/24 counter return comment "MINE"
		meta l4proto tcp ip saddr 10.84.0.0/24 ip daddr != 10.84.0.0/24 counter masquerade to :1024-65535 comment "MINE"
		ip saddr 10.90.16.0/20 ip daddr != 10.90.16.0/20 counter masquerade comment "MINE"
		ip saddr 10.90.32.0/20 ip daddr != 10.90.16.0/20 counter masquerade
		ip saddr != 10.84.0.0/24 counter return
		meta l4proto tcp ip saddr 10.84.1.0/24 ip daddr != 10.84.0.0/24 counter masquerade to :1024-65535
		ip daddr 10.84.0.0/24 counter return
	}
}
table ip6 libvirt_network {
	chain guest_output {
		ip6 saddr fd84::/64 iif "mine0" counter accept comment "MINE"
		iifname "mine0" counter reject comment "MINE"
		iifname "other0" counter reject
	}
	chain guest_nat {
		type nat hook postrouting priority srcnat; policy accept;
		meta l4proto udp ip6 saddr fd84::/64 ip6 daddr != fd84::/64 counter masquerade to :1024-65535 comment "MINE"
		ip6 saddr fd84:0:0:1::/64 ip6 daddr != fd84::/64 counter masquerade
	}
}
table ip another {
	chain guest_output {
		ip saddr 10.84.0.0/24 iif "mine0" counter accept
	}
}
`

func TestForget(t *testing.T) {
	printed := alone.Run(t, "forget")
	// nft writes what it is given in other words; a rule of another network must not go.
	before, after, found := strings.Cut(printed, "== after\n")
	if !found {
		t.Fatalf("it printed\n%s", printed)
	}
	if n, want := strings.Count(before, `comment "MINE"`), strings.Count(ruleset, `comment "MINE"`); n != want {
		t.Fatalf("%d of %d rules are in the kernel:\n%s", n, want, before)
	}
	if want := regexp.MustCompile(`(?m)^.*comment "MINE"\n`).ReplaceAllString(before, ""); after != want {
		t.Errorf("there is\n%s\nand should be\n%s", after, want)
	}
}

// forgetTask makes the two networks, takes one away, and prints the rules before and after.
func forgetTask() error {
	for _, name := range []string{"mine0", "other0"} {
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}}); err != nil {
			return err
		}
	}
	own := []netip.Prefix{netip.MustParsePrefix("10.84.0.1/24"), netip.MustParsePrefix("10.90.16.1/20"), netip.MustParsePrefix("fd84::1/64")}
	mine := Of("mine0", own)
	if err := mine.Forget(); err != nil {
		return fmt.Errorf("without such tables: %w", err)
	}
	load := exec.Command("nft", "-f", "-")
	load.Stdin, load.Stderr = strings.NewReader(ruleset), os.Stderr
	if err := load.Run(); err != nil {
		return fmt.Errorf("nft -f: %w", err)
	}
	if err := list(); err != nil {
		return err
	}
	fmt.Println("== after")
	if there, err := mine.Any(); !there || err != nil {
		return fmt.Errorf("its rules are there: %v, %v", there, err)
	}
	if err := mine.Forget(); err != nil {
		return err
	}
	if there, err := mine.Any(); there || err != nil {
		return fmt.Errorf("its rules are gone, and there: %v, %v", there, err)
	}
	if err := list(); err != nil {
		return err
	}
	return mine.Forget() // nothing is left to do
}

func list() error {
	nft := exec.Command("nft", "list", "ruleset")
	nft.Stdout, nft.Stderr = os.Stdout, os.Stderr
	return nft.Run()
}
