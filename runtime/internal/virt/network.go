package virt

import (
	"fmt"
	"slices"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/plan"
	"github.com/sbx-dev/sbx/schema/diag"
)

// EnsureNetwork makes the network of the document be there and run. Several
// sandboxes may own the same network as long as they agree on it.
func EnsureNetwork(conn *libvirt.Connect, document []byte) error {
	want := new(libvirtxml.Network)
	if err := want.Unmarshal(string(document)); err != nil {
		return fmt.Errorf("the bundle's network: %w", err)
	}
	network, err := OwnNetwork(conn, want.Name)
	if err != nil {
		return err
	}
	before, err := ObserveNetwork(network)
	if err != nil {
		return NetworkError(want.Name, err)
	}
	var outdated []plan.Difference
	if before.Running != "" {
		if outdated, err = plan.Network(string(document), before.Running); err != nil {
			return NetworkError(want.Name, err)
		}
	}
	if before.Defined != "" {
		if err := keepNames(want, before.Defined); err != nil {
			return NetworkError(want.Name, err)
		}
	}
	text, err := want.Marshal()
	if err != nil {
		return NetworkError(want.Name, err)
	}
	defined, err := conn.NetworkDefineXML(text)
	if err != nil {
		return NetworkError(want.Name, err)
	}
	defer defined.Free()
	err = startNetwork(defined, len(outdated) > 0)
	switch {
	case err == nil:
		return nil
	case missingChains(err) != "":
		return fault.Because(diag.NoNetwork, NetworkError(want.Name, err))
	default:
		return NetworkError(want.Name, err)
	}
}

// keepNames takes over what the network's name server was told of sandboxes.
func keepNames(want *libvirtxml.Network, present string) error {
	n := new(libvirtxml.Network)
	if err := n.Unmarshal(present); err != nil || n.DNS == nil {
		return err
	}
	if want.DNS == nil {
		want.DNS = new(libvirtxml.NetworkDNS)
	}
	want.DNS.Host = n.DNS.Host
	return nil
}

// startNetwork starts a network that does not run, now and with the host. One
// that runs by an older definition is started anew, unless somebody uses it.
func startNetwork(network *libvirt.Network, outdated bool) error {
	if err := network.SetAutostart(true); err != nil {
		return err
	}
	active, err := network.IsActive()
	if err != nil || active && !outdated {
		return err
	}
	if active {
		ports, err := network.ListAllPorts(0)
		if err != nil {
			return err
		}
		if len(ports) > 0 {
			return fmt.Errorf("its definition has changed, but %d interfaces are on it: take those sandboxes down first", len(ports))
		}
		if err := stopNetwork(network, true); err != nil {
			return err
		}
	}
	err = network.Create()
	if ErrorCode(err) == libvirt.ERR_OPERATION_INVALID { // another sbx was faster
		return nil
	}
	if err != nil {
		return err
	}
	bridge, err := network.GetBridgeName()
	if err != nil {
		return err
	}
	skipDetection(bridge)
	return nil
}

// OwnNetwork finds a network that sbx made; nil when there is none. A network of
// the name that sbx did not make is an error.
func OwnNetwork(conn *libvirt.Connect, name string) (*libvirt.Network, error) {
	network, err := conn.LookupNetworkByName(name)
	if ErrorCode(err) == libvirt.ERR_NO_NETWORK {
		return nil, nil
	}
	if err != nil {
		return nil, NetworkError(name, err)
	}
	uuid, err := network.GetUUIDString()
	if err == nil && uuid == compiler.UUID("network", name) {
		return network, nil
	}
	network.Free()
	if err != nil {
		return nil, NetworkError(name, err)
	}
	return nil, &foreignError{"network", name, "attach to it without create, or name another one"}
}

// ReleaseNetwork removes a network that sbx made, if it is there and no domain
// but the named one is defined with it. Another maker's network stays. Containers and
// machines share libvirt's networks, but each driver lists its own domains only:
// others gives the other drivers' connections, and local says whether it is this machine's.
func ReleaseNetwork(conn *libvirt.Connect, others func() ([]*libvirt.Connect, error), name, sandbox string, local bool) error {
	network, err := OwnNetwork(conn, name)
	if network == nil || err != nil {
		return UnlessForeign(err)
	}
	defer network.Free()
	if used, err := networkUsed(conn, others, name, sandbox); used || err != nil {
		return err
	}
	if err := stopNetwork(network, local); err != nil && ErrorCode(err) != libvirt.ERR_NO_NETWORK {
		return NetworkError(name, err)
	}
	if err := network.Undefine(); err != nil && ErrorCode(err) != libvirt.ERR_NO_NETWORK {
		return NetworkError(name, err)
	}
	return nil
}

// networkUsed says whether a domain other than the named one is on the network.
func networkUsed(conn *libvirt.Connect, others func() ([]*libvirt.Connect, error), network, except string) (bool, error) {
	conns, err := others()
	if err != nil {
		return false, err
	}
	for _, c := range append([]*libvirt.Connect{conn}, conns...) {
		if used, err := domainsUse(c, network, except); used || err != nil {
			return used, err
		}
	}
	return false, nil
}

func domainsUse(conn *libvirt.Connect, network, except string) (bool, error) {
	domains, err := conn.ListAllDomains(0)
	if err != nil {
		return false, fmt.Errorf("cannot list domains: %w", Plain(err))
	}
	used := false
	for i := range domains {
		d, err := Described(&domains[i], libvirt.DOMAIN_XML_INACTIVE)
		domains[i].Free()
		switch {
		case IsGone(err):
		case err != nil:
			return false, err
		case d.Name != except && d.Devices != nil:
			used = used || slices.ContainsFunc(d.Devices.Interfaces, func(i libvirtxml.DomainInterface) bool {
				return i.Source != nil && i.Source.Network != nil && i.Source.Network.Network == network
			})
		}
	}
	return used, nil
}

// CheckNetworks says why nothing can have a network here: libvirt's networks and filters
// are two drivers, and each may be a daemon of its own, which is not there or does not
// answer.
func CheckNetworks(conn *libvirt.Connect) error {
	if _, err := conn.NumOfNetworks(); err != nil {
		return fault.New(diag.NoLibvirt, "libvirt's driver for networks does not answer: %w", Plain(err))
	}
	if _, err := conn.NumOfNWFilters(); err != nil {
		return fault.New(diag.NoLibvirt, "libvirt's driver for filters does not answer: %w", Plain(err))
	}
	return nil
}

// NetworkError is an error of libvirt's about the named network, fit for a person.
func NetworkError(name string, err error) error {
	return fmt.Errorf("network %s: %w", name, Plain(err))
}

// ObservedNetwork is a network that the profile owns; the zero value is one that
// is not there.
type ObservedNetwork struct {
	Defined, Running string // XML
}

// ObserveNetwork reads a network, and frees it; nil is one that is not there.
func ObserveNetwork(network *libvirt.Network) (found ObservedNetwork, err error) {
	if network == nil {
		return found, nil
	}
	defer network.Free()
	if found.Defined, err = network.GetXMLDesc(libvirt.NETWORK_XML_INACTIVE); err != nil {
		return found, err
	}
	active, err := network.IsActive()
	if err != nil || !active {
		return found, err
	}
	found.Running, err = network.GetXMLDesc(0)
	return found, err
}
