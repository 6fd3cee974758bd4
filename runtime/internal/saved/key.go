package saved

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// Key names what a saved machine was made from, so that no other machine than one that is
// the same to its guest, and stands behind the same walls, is restored from it: its domain
// and its manifest, but for what makes it this one, and what else the caller gives, of
// which each part counts by itself.
func Key(d *libvirtxml.Domain, m *manifest.Manifest, parts ...string) (string, error) {
	devices, err := anonymous(d)
	if err != nil {
		return "", err
	}
	walls, err := unnamed(m)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(append(parts, devices, walls))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// anonymous is the domain without its name and whatever is derived from that.
func anonymous(d *libvirtxml.Domain) (string, error) {
	text, err := d.Marshal()
	if err != nil {
		return "", err
	}
	c := new(libvirtxml.Domain)
	if err := c.Unmarshal(text); err != nil {
		return "", err
	}
	c.Name, c.UUID, c.Title, c.Description, c.Metadata, c.SecLabel = "", "", "", "", nil, nil
	c.OS.Kernel, c.OS.Initrd = "", ""
	for i := range c.Devices.Filesystems {
		c.Devices.Filesystems[i].Source = nil
	}
	for i := range c.Devices.Channels {
		c.Devices.Channels[i].Source = nil
	}
	return c.Marshal()
}

// unnamed is the manifest without its name and what the one run is.
func unnamed(m *manifest.Manifest) (string, error) {
	c := *m
	c.Name, c.Hostname = "", ""
	c.Run.Argv, c.Run.Env, c.Run.Workdir = nil, nil, ""
	c.Mounts = slices.Clone(m.Mounts)
	for i := range c.Mounts {
		c.Mounts[i].Content = "" // /etc/hosts has the name
	}
	text, err := c.Encode()
	if err != nil {
		return "", fmt.Errorf("the manifest: %w", err)
	}
	return string(text), nil
}
