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
	b.Index.Filters = map[string]string{}
	for _, f := range s.Filters {
		b.Warnings = append(b.Warnings, nwfilter.Remarks(f.Policy)...)
		file := fileName("filter", f.Key)
		b.Add(file, f.XML)
		b.Index.Filters[identity.Filter(s.Name, f.Key)] = file
	}
	return s.addNetworks(b)
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

// fileName names one interface's document.
func fileName(kind, key string) string {
	if key == "" {
		return kind + ".xml"
	}
	return kind + "-" + key + ".xml"
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
