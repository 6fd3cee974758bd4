package author

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/nwfilter"
)

// filterFolders are where libvirt keeps filters by name.
var filterFolders = []string{"/etc/libvirt/nwfilter", "/usr/share/libvirt/nwfilter"}

// explainFilter asks an nwfilter from a file, which may refer to others beside it
// and to those of libvirt.
func (c *Explain) explainFilter(a *verb.App) error {
	variables := map[string][]string{}
	for name, list := range c.Var {
		variables[name] = strings.Split(list, ",")
	}
	guest, err := guestOf(variables)
	if err != nil {
		return err
	}
	packet, err := guest.ParsePacket(c.Question)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(c.Profile), ".xml")
	filter, err := nwfilter.Read(name, c.filterText(name), variables)
	if err != nil {
		return err
	}
	e := explanation{Filter: name, Packet: packet.String(), Accept: filter.Eval(packet, true).Accept}
	e.Sources = layers(filter, packet)
	return c.print(a, e)
}

// filterText finds the XML of a filter by name: the file itself, its neighbours,
// and libvirt's own.
func (c *Explain) filterText(root string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if name == root {
			return readFile(c.Profile)
		}
		if name != filepath.Base(name) {
			return nil, fmt.Errorf("it is no name of a filter")
		}
		for _, dir := range append([]string{filepath.Dir(c.Profile)}, filterFolders...) {
			data, err := readFile(filepath.Join(dir, name+".xml"))
			if !errors.Is(err, fs.ErrNotExist) {
				return data, err
			}
		}
		return nil, fmt.Errorf("there is no such file beside the filter, nor in %s", strings.Join(filterFolders, " or "))
	}
}

// guestOf is an interface as libvirt's variables describe it, to fill packets in from.
func guestOf(variables map[string][]string) (*firewall.Policy, error) {
	nic := firewall.Interface{MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
	for _, text := range variables["MAC"] {
		mac, err := net.ParseMAC(text)
		if err != nil || len(mac) != 6 {
			return nil, fmt.Errorf("--var MAC: %q is no MAC address", text)
		}
		nic.MAC = mac
	}
	for _, name := range []string{"IP", "IPV6"} {
		for _, text := range variables[name] {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("--var %s: %q is no address", name, text)
			}
			nic.Addresses = append(nic.Addresses, a)
		}
	}
	return firewall.Resolve(nic, firewall.Rules{})
}
