package schema

import (
	"fmt"

	"github.com/sbx-dev/sbx/schema/diag"
)

// Mount is something at a path inside that is not plainly exposed; exactly one
// of Host, Tmpfs, File, Image, Figures and Socket is set.
type Mount struct {
	Host     string  `json:"host,omitempty"` // a host folder or file
	Tmpfs    Size    `json:"tmpfs,omitempty"`
	File     *string `json:"file,omitempty"`  // the file's whole content
	Image    string  `json:"image,omitempty"` // a disk image on the host (kvm)
	Format   string  `json:"format,omitempty"`
	Figures  string  `json:"figures,omitempty"`  // which of the host's figures (lxc): "proc" or "sys"
	Socket   *Socket `json:"socket,omitempty"`   // a unix socket between sandboxes (lxc)
	Mode     string  `json:"mode,omitempty"`     // octal, of a file or tmpfs, or of a writable host folder that is made
	Owner    string  `json:"owner,omitempty"`    // the same; empty: as OwnerAt says
	IDs      List    `json:"ids,omitempty"`      // host only (lxc): the host's ids that are themselves inside, or AllIDs
	Writable bool    `json:"writable,omitempty"` // host and image only
	Size     Size    `json:"size,omitempty"`     // writable host only: the file there holds a file system of this size
	Sockets  bool    `json:"sockets,omitempty"`  // host only (lxc): it is, or holds, sockets, FIFOs or devices that are to be used
}

// AllIDs is the word for every id of the host that there can be inside.
const AllIDs = "all"

// OwnerAt is the user inside to whom belongs what a mount makes.
func (p *Profile) OwnerAt(at string) string {
	switch m := p.Mounts[at]; {
	case m.Owner != "":
		return m.Owner
	case m.File != nil, m.sticky(), at == shared:
		return "root"
	}
	return p.Run.User
}

// sticky says whether nobody in the folder may remove another one's files, as where
// all users share it.
func (m *Mount) sticky() bool { return len(m.Mode) == 4 && m.Mode[0]&1 != 0 }

// Makes says whether the mount makes something: a folder in memory, a file, a writable
// folder that the host may not have yet, or the folder of a socket.
func (m *Mount) Makes() bool {
	return m.Tmpfs != 0 || m.File != nil || m.madeOnHost() || m.Serves()
}

func (m *Mount) madeOnHost() bool { return m.Host != "" && m.Writable }

// sources says how many of a mount's sources are given.
func (m *Mount) sources() (n int) {
	for _, given := range []bool{
		m.Host != "",
		m.Tmpfs != 0,
		m.File != nil,
		m.Image != "",
		m.Figures != "",
		m.Socket != nil,
	} {
		if given {
			n++
		}
	}
	return n
}

// fill sets the defaults of a mount at a path.
func (m *Mount) fill(at string) {
	switch {
	case m.Image != "" && m.Format == "":
		m.Format = "raw"
	case m.Mode == "" && m.Tmpfs != 0:
		m.Mode = tmpfsMode(at)
	case m.Mode == "" && m.File != nil:
		m.Mode = "0644"
	}
}

// tmpfsMode is what programs expect of the folders that all users share.
func tmpfsMode(at string) string {
	if at == "/tmp" || at == "/var/tmp" || at == "/dev/shm" {
		return "1777"
	}
	return "0755"
}

// minVolume is the least size of a writable folder that is bounded, in bytes: of less,
// the file system itself would take the most.
const minVolume = 16 << 20

// mountFields checks that the fields of a mount go with its source.
func (c *checker) mountFields(at string, m Mount) {
	path := Field("mounts", at)
	switch {
	case m.sources() != 1, !c.Backend.known(): // which is reported, and hides what was meant
	case m.Image != "" && !c.Backend.ask().disks:
		d := c.fail(diag.OtherBackend, Field(path, "image"), "give the container a folder with host instead", "%s", onlyFor("disk images are", func(t traits) bool { return t.disks }))
		c.note(d, "backend", "the backend is chosen here")
	case m.Figures != "" && c.Backend.BootsKernel():
		d := c.fail(diag.OtherBackend, Field(path, "figures"), "let the host's own exporter tell them, or have a container", "a machine has a kernel of its own, which knows none of the host's figures: %s", onlyFor("they are", func(t traits) bool { return !t.kernel }))
		c.note(d, "backend", "the backend is chosen here")
	case m.Writable && m.Figures != "":
		c.fail(diag.MountFields, Field(path, "writable"), "remove it", "nobody writes to the host's figures")
	case m.Writable && (m.Tmpfs != 0 || m.File != nil):
		c.fail(diag.MountFields, Field(path, "writable"), "remove it: a tmpfs is writable, and an inline file is not", "writable is for host and image")
	case m.Mode != "" && !m.Makes():
		c.fail(diag.MountFields, Field(path, "mode"), "remove it: the permissions of what is there hold", "mode is for tmpfs, file, a writable folder of the host, and a socket's folder where it is made")
	case m.Size != 0 && !m.madeOnHost():
		c.fail(diag.MountFields, Field(path, "size"), "remove it: a tmpfs and an image have sizes of their own, and nothing is written to what is not writable", "size is for a writable host")
	case m.Size != 0 && len(m.IDs) > 0:
		c.fail(diag.MountFields, Field(path, "ids"), "leave one of them out", "with size, all that is there is the sandbox's own: ids has nothing to say")
	case m.Size != 0 && m.Size < minVolume:
		c.fail(diag.MountFields, Field(path, "size"), fmt.Sprintf("ask for %dMiB or more", minVolume>>20), "a file system of %d bytes would be too small to use", int64(m.Size))
	case m.Sockets && m.Host == "":
		c.fail(diag.MountFields, Field(path, "sockets"), "remove it", "sockets is for host")
	case m.Sockets && !c.Backend.SharesSockets():
		d := c.fail(diag.OtherBackend, Field(path, "sockets"), "let it reach the service by a network", "a machine cannot use the host's sockets: %s", onlyFor("they are", func(t traits) bool { return t.sockets }))
		c.note(d, "backend", "the backend is chosen here")
	case m.Format != "" && m.Image == "":
		c.fail(diag.MountFields, Field(path, "format"), "remove it", "format is for image")
	case m.Socket != nil:
		c.socket(at, m)
		c.owners(at, m)
	default:
		c.owners(at, m)
	}
}
