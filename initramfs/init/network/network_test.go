package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/alone"
)

func TestMain(m *testing.M) {
	alone.Main(m, map[string]func() error{
		"configure": configureTask,
		"lease":     leaseTask,
		"ping":      pingTask,
	})
}

// seen is what a network looks like from inside.
type seen struct {
	Up        []string
	Addresses []string
	Routes    []string
	Trouble   string
}

func look() (s seen, err error) {
	links, err := netlink.LinkList()
	if err != nil {
		return s, err
	}
	for _, link := range links {
		name := link.Attrs().Name
		if link.Attrs().Flags&net.FlagUp != 0 {
			s.Up = append(s.Up, name)
		}
		list, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return s, err
		}
		for _, a := range list {
			if !a.IP.IsLinkLocalUnicast() && !a.IP.IsLoopback() {
				s.Addresses = append(s.Addresses, name+" "+a.IPNet.String())
			}
		}
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			routes, err := netlink.RouteList(link, family)
			if err != nil {
				return s, err
			}
			for _, r := range routes {
				if r.Gw != nil {
					s.Routes = append(s.Routes, fmt.Sprintf("%v by %v on %s", r.Dst, r.Gw, name))
				}
			}
		}
	}
	slices.Sort(s.Up)
	slices.Sort(s.Addresses)
	slices.Sort(s.Routes)
	return s, nil
}

// inside runs a task that prints what it has seen.
func inside(t *testing.T, task, arg string) (s seen) {
	t.Helper()
	said := alone.Run(t, task, arg)
	if err := json.Unmarshal([]byte(said), &s); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return s
}

func tell(trouble error) error {
	s, err := look()
	if trouble != nil {
		s.Trouble = trouble.Error()
	}
	return errors.Join(err, json.NewEncoder(os.Stdout).Encode(s))
}

const (
	firstMAC  = "52:54:00:00:00:01"
	secondMAC = "52:54:00:00:00:02"
)

// addNIC makes an interface that the kernel calls so. A bridge without a port is one that
// every kernel has which runs these tests.
func addNIC(name, mac string) error {
	address, err := net.ParseMAC(mac)
	if err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = name, address
	return netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs})
}

// configureTask configures two interfaces, each of which the kernel has called as the
// other one is to be.
func configureTask() error {
	var interfaces []manifest.Interface
	if err := json.Unmarshal([]byte(os.Args[1]), &interfaces); err != nil {
		return err
	}
	if err := addNIC("eth0", secondMAC); err != nil {
		return err
	}
	if err := addNIC("eth1", firstMAC); err != nil {
		return err
	}
	return tell(errors.Join(Loopback(), Configure(interfaces)))
}

func text(t *testing.T, interfaces []manifest.Interface) string {
	t.Helper()
	data, err := json.Marshal(interfaces)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestConfigure(t *testing.T) {
	got := inside(t, "configure", text(t, []manifest.Interface{
		{Name: "eth0", MAC: firstMAC, Addresses: []string{"192.0.2.2/24", "fd00::2/64"}, Gateways: []string{"192.0.2.1", "fd00::1"}},
		{Name: "eth1", MAC: secondMAC, Addresses: []string{"198.51.100.2/24"}, Routes: []manifest.Route{{To: "203.0.113.0/24", Via: "198.51.100.1"}}},
	}))
	want := seen{
		Addresses: []string{"eth0 192.0.2.2/24", "eth0 fd00::2/64", "eth1 198.51.100.2/24"},
		Routes:    []string{"0.0.0.0/0 by 192.0.2.1 on eth0", "203.0.113.0/24 by 198.51.100.1 on eth1", "::/0 by fd00::1 on eth0"},
	}
	if got.Trouble != "" || !slices.Equal(got.Addresses, want.Addresses) || !slices.Equal(got.Routes, want.Routes) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, name := range []string{"lo", "eth0", "eth1"} {
		if !slices.Contains(got.Up, name) {
			t.Errorf("%s is not up: %q", name, got.Up)
		}
	}
}

func TestConfigureSaysWhatDoesNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		nic  manifest.Interface
		want string
	}{
		"no such interface": {manifest.Interface{Name: "eth0", MAC: "52:54:00:00:00:09"}, "eth0: the machine has no interface with the address 52:54:00:00:00:09"},
		"no address":        {manifest.Interface{Name: "eth0", MAC: firstMAC, Addresses: []string{"192.0.2.300/24"}}, "eth0: address 192.0.2.300/24: "},
		"no gateway":        {manifest.Interface{Name: "eth0", MAC: firstMAC, Gateways: []string{"router"}}, `eth0: gateway router: "router" is not an address`},
		"no way there":      {manifest.Interface{Name: "eth0", MAC: firstMAC, Gateways: []string{"192.0.2.1"}}, "eth0: gateway 192.0.2.1: "},
		"no such route":     {manifest.Interface{Name: "eth0", MAC: firstMAC, Routes: []manifest.Route{{To: "all", Via: "192.0.2.1"}}}, "eth0: route to all: "},
	} {
		t.Run(name, func(t *testing.T) {
			got := inside(t, "configure", text(t, []manifest.Interface{c.nic}))
			if !strings.HasPrefix(got.Trouble, "network interface "+c.want) {
				t.Errorf("%q, want %q", got.Trouble, c.want)
			}
		})
	}
}

// pingTask opens a socket for echo requests as a user who holds no capability.
func pingTask() error {
	if err := OpenPing(); err != nil {
		return err
	}
	now, err := os.ReadFile(pingGroups)
	fmt.Print(string(now))
	return err
}

func TestOpenPing(t *testing.T) {
	if got := strings.Fields(alone.Run(t, "ping")); !slices.Equal(got, []string{"0", "65535"}) {
		t.Errorf("groups %q may ping", got)
	}
}
