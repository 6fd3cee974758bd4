package compiler_test

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/schema"
)

// interfacesProfile has an interface for each key, each with a network of its own.
func interfacesProfile(t *testing.T, keys ...string) *schema.Profile {
	t.Helper()
	var networks strings.Builder
	for i, key := range keys {
		fmt.Fprintf(&networks, "\t\t%q: {attach: \"net-%s\", create: {mode: \"isolated\", address: \"10.9.%d.1/24\"}, address: \"10.9.%d.2/24\", allow: [{in: tcp: [%d]}]}\n", key, key, i, i, 8000+i)
	}
	return loadText(t, "p.cue", []byte("package p\nimport \"github.com/sbx-dev/sbx/schema\"\nschema.#Profile & {\n\tname: \"p\"\n\tbackend: \"lxc\"\n\trun: argv: [\"/bin/true\"]\n\tnetworks: {\n"+networks.String()+"\t}\n}\n"))
}

// The index names the document of each filter and network, whatever the order of
// the files is: "filter-lan-b.xml" comes before "filter-lan.xml".
func TestIndexNamesDocuments(t *testing.T) {
	b := compile(t, interfacesProfile(t, "lan-b", "lan", "lan-", "l", "lan-b-c"))
	defines := func(names map[string]string, kind string) {
		if len(names) != 5 {
			t.Errorf("%d documents of kind %s: %v", len(names), kind, names)
		}
		for name, file := range names {
			var d struct {
				Attribute string `xml:"name,attr"` // of a filter
				Element   string `xml:"name"`      // of a network
			}
			if err := xml.Unmarshal(b.File(file), &d); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			if d.Attribute+d.Element != name {
				t.Errorf("the index says that %s defines the %s %s, and it defines %s", file, kind, name, d.Attribute+d.Element)
			}
		}
	}
	defines(b.Index.Filters, "filter")
	outer := map[string]string{}
	for name, walls := range b.Index.Walls {
		outer[name] = walls.Outer
		if table, err := nftables.Decode(b.File(walls.Inner)); err != nil || table.Name != name {
			t.Errorf("%s is not the table %s: %v", walls.Inner, name, err)
		}
		if !strings.Contains(string(b.File(walls.Text)), "table bridge "+name+" {") {
			t.Errorf("%s is not the text of the table %s", walls.Text, name)
		}
	}
	defines(outer, "filter")
	defines(b.Index.Networks, "network")
}

// Interfaces on one network that the profile creates make one network.
func TestOneNetworkOfTwoInterfaces(t *testing.T) {
	p := interfacesProfile(t, "a", "b")
	second := p.Networks["a"]
	second.Address = schema.List{"10.9.0.3/24"}
	p.Networks["b"] = second
	b := compile(t, p)
	if len(b.Index.Networks) != 1 {
		t.Errorf("networks %v", b.Index.Networks)
	}
	documents := slices.DeleteFunc(b.Files, func(f compiler.File) bool { return !strings.HasPrefix(f.Name, "network") })
	if len(documents) != 1 {
		t.Errorf("%d documents of one network", len(documents))
	}
}

// A remark on a rule of one of several interfaces names the rule's own line.
func TestPlacesInNetworks(t *testing.T) {
	p := loadText(t, "p.cue", []byte(`package p

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "p"
	backend: "lxc"
	run: argv: ["/bin/true"]
	networks: {
		lan: {attach: "default", address: "10.9.0.2/24", allow: [
			{in: tcp: [8080]},
			{in: tcp: [8080]},
		]}
	}
}
`))
	warnings := compile(t, p).Warnings
	if len(warnings) != 1 || warnings[0].Pos.Line != 12 || warnings[0].Path != "networks.lan.allow[1]" {
		t.Errorf("want one remark on networks.lan.allow[1] in line 12: %v", warnings)
	}
}
