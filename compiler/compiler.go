// Package compiler lowers a profile to a bundle: libvirt domain XML, nwfilter
// rules, network XML and the manifest of the guest's first process. It is pure:
// it looks at nothing but the profile, so the same profile gives the same bytes
// on every machine.
package compiler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/schema"
)

// Options is what a compilation needs besides the profile.
type Options struct {
	// Ephemeral compiles for `sbx run`: the first process waits for the host
	// to attach and ends with the command.
	Ephemeral bool
	// Peers gives the addresses of the other sandboxes that rules may name.
	Peers map[string][]netip.Addr
}

// sandbox is a profile on its way to a bundle, with what has been derived so far.
type sandbox struct {
	*schema.Profile
	cards    []networkCard
	manifest *manifest.Manifest
	metadata *Metadata
}

// Compile lowers a profile that package schema has loaded. Its errors are
// diagnostics (package diag) that name the place in the profile.
func Compile(p *schema.Profile, o Options) (*Bundle, error) {
	s := &sandbox{Profile: p, cards: networkCards(p)}
	var err error
	if s.manifest, err = newManifest(s, o); err != nil {
		return nil, err
	}
	if s.metadata, err = newMetadata(s); err != nil {
		return nil, err
	}
	b := new(Bundle)
	if b.Warnings, err = s.compileFirewalls(o.Peers); err != nil {
		return nil, err
	}
	s.fitFirewalls()
	b.Warnings = append(b.Warnings, s.unusable()...)
	b.Warnings = append(b.Warnings, s.hostRoot()...)
	if err := b.addArtifacts(s); err != nil {
		return nil, err
	}
	b.seal(s)
	return b, nil
}

// addArtifacts lowers the sandbox to what libvirt and sbx-init are given.
func (b *Bundle) addArtifacts(s *sandbox) error {
	domain, err := s.domain()
	if err != nil {
		return err
	}
	if err := b.addXML("domain.xml", domain); err != nil {
		return err
	}
	manifest, err := s.manifest.Encode()
	if err != nil {
		return err
	}
	b.Files = append(b.Files, File{"initrd.json", manifest})
	b.Files = append(b.Files, File{AppArmorFile, s.appArmor()})
	for _, c := range s.cards {
		b.Files = append(b.Files, File{c.fileName("filter"), c.firewall.XML})
	}
	for _, c := range s.creators() {
		network, err := networkXML(c)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", s.Source.Pos(c.path), c.path, err)
		}
		if err := b.addXML(c.fileName("network"), network); err != nil {
			return err
		}
	}
	return nil
}

func (s *sandbox) domain() (*libvirtxml.Domain, error) {
	switch s.Backend {
	case schema.LXC:
		return s.lxcDomain()
	case schema.KVM:
		return s.kvmDomain()
	}
	return nil, fmt.Errorf("%s: backend: %q is not one that sbx can lower to", s.Source.Pos("backend"), s.Backend)
}

// newMetadata collects what the runtime needs to find again by itself.
func newMetadata(s *sandbox) (*Metadata, error) {
	digest, err := profileDigest(s.Profile)
	if err != nil {
		return nil, err
	}
	m := &Metadata{Profile: digest}
	if s.Backend.BootsKernel() {
		m.Machine = &MachineMetadata{
			Accel:   s.Machine.Accel,
			Arch:    s.Machine.Arch,
			Kernel:  s.Machine.Kernel,
			Modules: s.Machine.Modules,
			ID:      HostID(s.Profile, 0),
		}
	}
	if m.Publish, err = s.published(); err != nil {
		return nil, err
	}
	for _, c := range s.cards {
		m.Filters = append(m.Filters, c.filter)
		for _, a := range c.Address {
			address, _, _ := strings.Cut(a, "/")
			m.Address = append(m.Address, address)
		}
	}
	for _, c := range s.creators() {
		m.Networks = append(m.Networks, c.Attach)
	}
	return m, nil
}

// profileDigest is the digest of what the profile means: of its values with all
// defaults, whatever the text that gave them.
func profileDigest(p *schema.Profile) (string, error) {
	meaning := *p
	meaning.Tests = nil
	data, err := json.Marshal(meaning)
	if err != nil {
		return "", fmt.Errorf("profile %s: %w", p.Name, err)
	}
	return Digest(data), nil
}

// addXML adds one of libvirtxml's documents.
func (b *Bundle) addXML(name string, document interface{ Marshal() (string, error) }) error {
	text, err := document.Marshal()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b.Files = append(b.Files, File{name, []byte(text + "\n")})
	return nil
}

// seal sorts the files and writes the index.
func (b *Bundle) seal(s *sandbox) {
	slices.SortFunc(b.Files, func(x, y File) int { return strings.Compare(x.Name, y.Name) })
	b.Index = Index{
		Version:  BundleVersion,
		Name:     s.Name,
		Backend:  string(s.Backend),
		Profile:  s.metadata.Profile,
		Domain:   s.Name,
		Filters:  map[string]string{},
		Networks: map[string]string{},
		Files:    map[string]string{},
		Secrets:  s.Secrets,
	}
	for _, f := range b.Files {
		b.Index.Files[f.Name] = Digest(f.Data)
	}
	for _, c := range s.cards {
		b.Index.Filters[c.filter] = c.fileName("filter")
	}
	for _, c := range s.creators() {
		b.Index.Networks[c.Attach] = c.fileName("network")
	}
}

// Encode writes the index as JSON: the same bytes for the same index.
func (i *Index) Encode() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(i); err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	return out.Bytes(), nil
}
