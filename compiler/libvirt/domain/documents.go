package domain

import (
	"fmt"

	"github.com/sbx-dev/sbx/compiler/bundle"
	"github.com/sbx-dev/sbx/compiler/firewall/nwfilter"
	"github.com/sbx-dev/sbx/compiler/identity"
	"github.com/sbx-dev/sbx/schema"
)

// Lower writes what libvirt is given of a sandbox of this kind.
func (k Kind) Lower(s *Sandbox, b *bundle.Bundle) error {
	d, err := k.Domain(s)
	if err != nil {
		return err
	}
	if err := addXML(b, "domain.xml", d); err != nil {
		return err
	}
	b.Index.Domain, b.Index.MAC = s.Name, s.MAC
	confined, err := k.AppArmor(s)
	if err != nil {
		return err
	}
	b.Add(AppArmorFile, confined)
	if s.Manifest.Service && s.MAC != schema.MACNone {
		policy, err := k.SELinux(s)
		if err != nil {
			return err
		}
		b.Add(SELinuxFile, policy)
	}
	b.Index.Filters, b.Index.Walls = map[string]string{}, map[string]bundle.Walls{}
	for _, f := range s.Filters {
		b.Warnings = append(b.Warnings, nwfilter.Remarks(f.Policy)...)
		if err := f.add(b, identity.Filter(s.Name, f.Key)); err != nil {
			return err
		}
	}
	return s.addNetworks(b)
}

// add adds what enforces the allow-list of one interface: for each kind of host.
func (f *Filter) add(b *bundle.Bundle, name string) error {
	file := fileName("filter", f.Key)
	b.Add(file, f.XML)
	b.Index.Filters[name] = file
	if f.Walls == nil {
		return nil
	}
	table, err := f.Inner.Encode()
	if err != nil {
		return err
	}
	walls := bundle.Walls{Outer: file, Inner: documentName("inner", f.Key, "json"), Text: documentName("inner", f.Key, "nft")}
	b.Add(walls.Inner, table)
	b.Add(walls.Text, f.Inner.Text())
	if f.Outer != f.Compiled {
		walls.Outer = fileName("outer", f.Key)
		b.Add(walls.Outer, f.Outer.XML)
	}
	b.Index.Walls[name] = walls
	return nil
}

// addNetworks adds those that the profile owns.
func (s *Sandbox) addNetworks(b *bundle.Bundle) error {
	b.Index.Networks = map[string]string{}
	for _, i := range creators(s.Interfaces) {
		network, err := networkXML(i)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", s.Source.Pos(i.Path), i.Path, err)
		}
		file := fileName("network", i.Key)
		if err := addXML(b, file, network); err != nil {
			return err
		}
		b.Index.Networks[i.Attach] = file
	}
	return nil
}

// fileName names one interface's document of libvirt's.
func fileName(kind, key string) string { return documentName(kind, key, "xml") }

// documentName names one interface's document.
func documentName(kind, key, format string) string {
	if key != "" {
		kind += "-" + key
	}
	return kind + "." + format
}

// addXML adds one of libvirtxml's documents.
func addXML(b *bundle.Bundle, name string, document interface{ Marshal() (string, error) }) error {
	text, err := document.Marshal()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b.Add(name, []byte(text+"\n"))
	return nil
}
