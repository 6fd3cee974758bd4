package compiler

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// BundleVersion is the format of a bundle's index.
const BundleVersion = 3

// Bundle is a compiled profile: everything that the runtime applies. The same
// profile and sbx version give the same bytes on every machine.
type Bundle struct {
	Index Index
	Files []File // sorted by name; index.json is not among them

	// Warnings are remarks on the profile: rules that nothing can reach, and
	// the like. They are not part of what is applied.
	Warnings diag.List
}

// File is one artifact of a bundle.
type File struct {
	Name string // "domain.xml", "filter.xml", "network.xml", "initrd.json", "apparmor"; a second interface's are "filter-NAME.xml", "network-NAME.xml"
	Data []byte
}

// Index names a bundle's files and what they are, so that a reader need not
// take them apart. It is the bundle's index.json.
type Index struct {
	Version  int               `json:"version"`
	Name     string            `json:"name"`
	Backend  string            `json:"backend"`
	Profile  string            `json:"profile"`  // the digest of the evaluated profile
	Domain   string            `json:"domain"`   // its name in libvirt
	Filters  map[string]string `json:"filters"`  // name in libvirt → file
	Networks map[string]string `json:"networks"` // the same, only those that the profile owns
	Files    map[string]string `json:"files"`    // name → digest

	// Secrets says where their values are found; no bundle holds a value.
	Secrets map[string]schema.Secret `json:"secrets,omitempty"`
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
