// Package bundle is what a compiled profile is made of: documents with their names,
// and an index that says what each of them is. It is what a target writes and what
// the runtime reads.
package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Version is the format of a bundle's index.
const Version = 3

// ManifestFile is the document that the guest's first process is told by.
const ManifestFile = "initrd.json"

// Bundle is a compiled profile: everything that the runtime applies. The same
// profile and sbx version give the same bytes on every machine.
type Bundle struct {
	Index Index
	Files []File // sorted by name; index.json is not among them

	// Warnings are remarks on the profile: rules that nothing can reach, and
	// the like. They are not part of what is applied.
	Warnings diag.List
}

// File is one document of a bundle.
type File struct {
	Name string // "domain.xml", "network.xml", "initrd.json", "apparmor", "policy.cil"; those of an interface are "filter.xml", "outer.xml", "inner.json", "inner.nft", or of one of several "filter-NAME.xml", …
	Data []byte
}

// Index names a bundle's files and what they are, so that a reader need not
// take them apart. It is the bundle's index.json.
type Index struct {
	Version  int               `json:"version"`
	Name     string            `json:"name"`
	Backend  string            `json:"backend"`
	Target   string            `json:"target,omitempty"` // who can carry it out; "" is libvirt
	Profile  string            `json:"profile"`          // the digest of the evaluated profile
	Domain   string            `json:"domain"`           // its name in libvirt
	MAC      schema.MAC        `json:"mac,omitempty"`    // what AppArmor or SELinux is to do
	Filters  map[string]string `json:"filters"`          // name in libvirt → file
	Walls    map[string]Walls  `json:"walls"`            // name of a filter → what does more in its place, where the host's kernel can
	Networks map[string]string `json:"networks"`         // name in libvirt → file, only those that the profile owns
	Files    map[string]string `json:"files"`            // name → digest

	// Secrets says where their values are found; no bundle holds a value.
	Secrets map[string]schema.Secret `json:"secrets,omitempty"`
}

// Walls are the files of the two walls that together enforce what a filter does alone.
type Walls struct {
	Outer string `json:"outer"` // the filter that libvirt is given under the same name
	Inner string `json:"inner"` // a table of nftables, as package compiler/firewall/nftables encodes it
	Text  string `json:"text"`  // the same for people
}

// Digest is the SHA-256 of data, as "sha256:" and lower-case hex.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// File returns the named artifact, or nil.
func (b *Bundle) File(name string) []byte {
	for _, f := range b.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

// Add adds a document.
func (b *Bundle) Add(name string, data []byte) { b.Files = append(b.Files, File{name, data}) }

// Seal sorts the documents and has the index hold their digests.
func (b *Bundle) Seal() {
	slices.SortFunc(b.Files, func(x, y File) int { return strings.Compare(x.Name, y.Name) })
	b.Index.Files = map[string]string{}
	for _, f := range b.Files {
		b.Index.Files[f.Name] = Digest(f.Data)
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
