package schema

import "github.com/sbx-dev/sbx/schema/diag"

// Mount is something at a path inside that is not plainly exposed; exactly one
// of Host, Tmpfs, File and Image is set.
type Mount struct {
	Host     string  `json:"host,omitempty"` // a host folder or file
	Tmpfs    Size    `json:"tmpfs,omitempty"`
	File     *string `json:"file,omitempty"`  // the file's whole content
	Image    string  `json:"image,omitempty"` // a disk image on the host (kvm)
	Format   string  `json:"format,omitempty"`
	Mode     string  `json:"mode,omitempty"`     // octal, of a file or tmpfs
	Writable bool    `json:"writable,omitempty"` // host and image only
	Sockets  bool    `json:"sockets,omitempty"`  // host only (lxc): it is, or holds, sockets, FIFOs or devices that are to be used
}

// sources says how many of a mount's sources are given.
func (m *Mount) sources() (n int) {
	for _, given := range []bool{
		m.Host != "",
		m.Tmpfs != 0,
		m.File != nil,
		m.Image != "",
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

// mountFields checks that the fields of a mount go with its source.
func (c *checker) mountFields(path string, m Mount) {
	switch {
	case m.sources() != 1, !c.Backend.known(): // which is reported, and hides what was meant
	case m.Image != "" && !c.Backend.ask().disks:
		d := c.fail(diag.OtherBackend, Field(path, "image"), "give the container a folder with host instead", "%s", onlyFor("disk images are", func(t traits) bool { return t.disks }))
		c.note(d, "backend", "the backend is chosen here")
	case m.Writable && (m.Tmpfs != 0 || m.File != nil):
		c.fail(diag.MountFields, Field(path, "writable"), "remove it: a tmpfs is writable, and an inline file is not", "writable is for host and image")
	case m.Mode != "" && (m.Host != "" || m.Image != ""):
		c.fail(diag.MountFields, Field(path, "mode"), "remove it: the host's own permissions hold", "mode is for tmpfs and file")
	case m.Sockets && m.Host == "":
		c.fail(diag.MountFields, Field(path, "sockets"), "remove it", "sockets is for host")
	case m.Sockets && !c.Backend.SharesSockets():
		d := c.fail(diag.OtherBackend, Field(path, "sockets"), "let it reach the service by a network", "a machine cannot use the host's sockets: %s", onlyFor("they are", func(t traits) bool { return t.sockets }))
		c.note(d, "backend", "the backend is chosen here")
	case m.Format != "" && m.Image == "":
		c.fail(diag.MountFields, Field(path, "format"), "remove it", "format is for image")
	}
}
