package domain

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/sbx-dev/sbx/compiler/identity"
	"github.com/sbx-dev/sbx/compiler/resolve"
)

// MetadataURI is the XML namespace of what sbx keeps in a libvirt object's
// <metadata>; virDomainGetMetadata takes it.
const MetadataURI = "https://github.com/sbx-dev/sbx/metadata/1"

const metadataElement = "sandbox"

// Metadata is what sbx must know of a running sandbox. It stands in the
// domain's own <metadata>, and nowhere else.
type Metadata struct {
	XMLName  xml.Name          // set by Encode; virDomainGetMetadata leaves the name space out
	Profile  string            `xml:"profile"`          // the digest of the evaluated profile
	Bundle   string            `xml:"bundle,omitempty"` // the digest of the bundle's index, set when it is applied
	Filters  []string          `xml:"filter"`
	Networks []string          `xml:"network"` // those that the profile owns
	Address  []AddressMetadata `xml:"address"` // where the sandbox is reached

	After   []string         `xml:"after"`           // the sandboxes that come before it
	Every   string           `xml:"every,omitempty"` // when it runs, of a job
	Publish []Published      `xml:"publish"`
	Machine *MachineMetadata `xml:"machine"` // only of a machine
	Sources []SourceMetadata `xml:"source"`  // set when it starts
	Applied *Applied         `xml:"applied"` // set when the sandbox runs as it should
}

// AddressMetadata is an address of the sandbox's own, and the network or bridge that
// it is on; of an older sbx's sandboxes neither is noted.
type AddressMetadata struct {
	Network string `xml:"network,attr,omitempty"`
	Bridge  string `xml:"bridge,attr,omitempty"`
	IP      string `xml:",chardata"`
}

// Link is what the address is on, in words.
func (a AddressMetadata) Link() string {
	return resolve.Link{Network: a.Network, Bridge: a.Bridge}.String()
}

// Addresses are where the sandbox is reached.
func (m *Metadata) Addresses() []string {
	list := make([]string, len(m.Address))
	for i, a := range m.Address {
		list[i] = a.IP
	}
	return list
}

// SourceMetadata is a path of the host that the sandbox sees, or something that is
// mounted below one, and what stood there when the sandbox started.
type SourceMetadata struct {
	Path     string `xml:"path,attr"`
	Target   string `xml:"target,attr,omitempty"` // where the sandbox sees it; "" for what comes with another path
	Writable bool   `xml:"writable,attr,omitempty"`
	Entries  bool   `xml:"entries,attr,omitempty"` // what stood in the folder, of which it sees a copy
	ID       string `xml:",chardata"`
}

// Applied is what sbx left behind when it last applied the bundle, so that what
// others change afterwards is found.
type Applied struct {
	At      string          `xml:"at,attr"` // RFC 3339, UTC
	Objects []AppliedObject `xml:"object"`
}

// AppliedObject is one thing that makes up a running sandbox, and what tells it
// from a changed one.
type AppliedObject struct {
	Name        string `xml:"name,attr"`
	Fingerprint string `xml:",chardata"`
}

// Published is a TCP port of the host that leads to the sandbox.
type Published struct {
	Listen string `xml:"listen,attr"` // address and port; an empty address is all of them
	Target string `xml:"target,attr"` // address and port of the sandbox
}

// MachineMetadata is what the runtime binds a machine to on its host.
type MachineMetadata struct {
	Accel   string `xml:"accel,attr"`            // "require" or "prefer" KVM
	Arch    string `xml:"arch,attr,omitempty"`   // "x86_64" or "aarch64"; "" is the host's
	Kernel  string `xml:"kernel,attr,omitempty"` // the profile's, or the one that sbx up was told
	Modules string `xml:"modules,attr,omitempty"`
	ID      uint32 `xml:"id,attr"` // the host id that QEMU runs as, where the host allows it
}

// newMetadata collects what the runtime needs to find again by itself.
func newMetadata(s *resolve.Sandbox) *Metadata {
	m := &Metadata{Profile: s.Digest, After: s.Follows(), Every: s.Every}
	if s.Backend.BootsKernel() {
		m.Machine = &MachineMetadata{
			Accel:   s.Machine.Accel,
			Arch:    s.Machine.Arch,
			Kernel:  s.Machine.Kernel,
			Modules: s.Machine.Modules,
			ID:      identity.HostID(s.Profile, 0),
		}
	}
	for _, p := range s.Published {
		m.Publish = append(m.Publish, Published(p))
	}
	for _, i := range s.Interfaces {
		m.Filters = append(m.Filters, identity.Filter(s.Name, i.Key))
		for _, a := range i.Address {
			address, _, _ := strings.Cut(a, "/")
			m.Address = append(m.Address, AddressMetadata{Network: i.Attach, Bridge: i.Bridge, IP: address})
		}
	}
	for _, i := range creators(s.Interfaces) {
		m.Networks = append(m.Networks, i.Attach)
	}
	return m
}

// Encode writes the element that stands in <metadata>.
func (m *Metadata) Encode() (string, error) {
	named := *m
	named.XMLName = xml.Name{Space: MetadataURI, Local: metadataElement}
	out, err := xml.Marshal(&named)
	if err != nil {
		return "", fmt.Errorf("sandbox metadata: %w", err)
	}
	return string(out), nil
}

// DecodeMetadata reads what Encode wrote, with or without its name space.
func DecodeMetadata(text string) (*Metadata, error) {
	m := new(Metadata)
	if err := xml.Unmarshal([]byte(text), m); err != nil {
		return nil, fmt.Errorf("sandbox metadata: %w", err)
	}
	if m.XMLName.Local != metadataElement {
		return nil, fmt.Errorf("sandbox metadata: the element is %q instead of %q", m.XMLName.Local, metadataElement)
	}
	return m, nil
}
