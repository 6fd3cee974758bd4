package compiler

import (
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/bundle"
	"github.com/sbx-dev/sbx/compiler/identity"
	"github.com/sbx-dev/sbx/compiler/libvirt/container"
	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/compiler/libvirt/machine"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/schema"
)

// What a program that compiles profiles, or applies bundles, needs of the packages
// below stands here, too, so that it imports this one alone.
type (
	// Bundle is a compiled profile.
	Bundle = bundle.Bundle
	// File is one document of a bundle.
	File = bundle.File
	// Index names a bundle's documents and what they are.
	Index = bundle.Index
	// Metadata is what sbx must know of a running sandbox.
	Metadata = domain.Metadata
	// MachineMetadata is what the runtime binds a machine to on its host.
	MachineMetadata = domain.MachineMetadata
	// AddressMetadata is an address of a sandbox, and what it is on.
	AddressMetadata = domain.AddressMetadata
	// SourceMetadata is a path of the host that a sandbox sees.
	SourceMetadata = domain.SourceMetadata
	// Applied is what sbx left behind when it last applied a bundle.
	Applied = domain.Applied
	// AppliedObject is one thing that makes up a running sandbox.
	AppliedObject = domain.AppliedObject
)

// BundleVersion is the format of a bundle's index.
const BundleVersion = bundle.Version

// StateDir is the host folder that holds a folder for each sandbox. Bundles are
// written for it; the runtime rebases them where it works under another one.
const StateDir = state.Default

// The ranges of the host ids that sandboxes have: see package identity.
const (
	IDCount     = identity.IDCount
	IDFirst     = identity.IDFirst
	IDLast      = identity.IDLast
	HelperFirst = identity.HelperFirst
	HelperLast  = identity.HelperLast
)

// Of a bundle's profile for AppArmor, and of what stands in a domain's <metadata>:
// see package domain.
const (
	AppArmorFile     = domain.AppArmorFile
	SELinuxFile      = domain.SELinuxFile
	SandboxVariable  = domain.SandboxVariable
	EmulatorVariable = domain.EmulatorVariable
	FirmwareVariable = domain.FirmwareVariable
	DomainsVariable  = domain.DomainsVariable
	LogsVariable     = domain.LogsVariable
	MetadataURI      = domain.MetadataURI
)

// Digest is the SHA-256 of data, as "sha256:" and lower-case hex.
func Digest(data []byte) string { return bundle.Digest(data) }

// UUID is the UUID of the named libvirt object: kind is "domain", "filter" or
// "network".
func UUID(kind, name string) string { return identity.UUID(kind, name) }

// IDBase is the first host id of the named sandbox.
func IDBase(sandbox string) uint32 { return identity.IDBase(sandbox) }

// SocketIDs is the first of the host's ids by which the named sandbox's sockets are kept.
func SocketIDs(server string) uint32 { return identity.SocketIDs(server) }

// HostID is the host's id for an id inside the sandbox.
func HostID(p *schema.Profile, id uint32) uint32 { return identity.HostID(p, id) }

// HelperID is the user and the group, on the host, of the processes beside the named
// sandbox.
func HelperID(sandbox string) uint32 { return identity.HelperID(sandbox) }

// Categories are the two of SELinux's that the named sandbox has, as "c12,c345".
func Categories(sandbox string) string { return identity.Categories(sandbox) }

// AppArmorName is the name of a sandbox's profile for AppArmor.
func AppArmorName(sandbox string) string { return domain.AppArmorName(sandbox) }

// InlineFile is the host file in dir that holds the content of the inline mount
// at target.
func InlineFile(dir, target string) string { return container.InlineFile(dir, target) }

// DecodeMetadata reads what stands in a domain's <metadata>.
func DecodeMetadata(text string) (*Metadata, error) { return domain.DecodeMetadata(text) }

// BindArch completes a machine's domain, compiled from a profile that names no
// architecture, for one: "x86_64" or "aarch64".
func BindArch(d *libvirtxml.Domain, name string) error { return machine.BindArch(d, name) }
