// Package settings reads what a host's administrator has settled for all sandboxes there,
// whatever their profiles: the file Path.
package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Path is where they stand: `{"firewall": "nft"}`. A host has none by default.
const Path = "/etc/sbx/host.json"

// most bounds the file, in bytes.
const most = 64 << 10

// Firewall is what enforces lists of packets.
type Firewall string

// What a host's firewall may be.
const (
	Prefer   Firewall = "prefer"   // both walls where the kernel can hold the inner one, else libvirt's filter alone
	NFT      Firewall = "nft"      // both walls, and where they cannot be there is no sandbox with a network
	NWFilter Firewall = "nwfilter" // libvirt's filter alone
)

// Host are the settings of one.
type Host struct {
	Firewall Firewall `json:"firewall"`
}

// Read reads them from a file; where there is none, they are the defaults. The file is
// nobody's but root's or this process's user's. Errors are SBX0540.
func Read(path string) (Host, error) {
	h := Host{Firewall: Prefer}
	text, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err == nil {
		err = h.decode(text)
	}
	if err != nil {
		return Host{}, fault.New(diag.HostSettings, "%s: %w", path, err)
	}
	return h, nil
}

func read(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var is unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &is); err != nil {
		return nil, err
	}
	if is.Mode&unix.S_IFMT != unix.S_IFREG || is.Mode&0o022 != 0 || is.Uid != 0 && int(is.Uid) != os.Geteuid() {
		return nil, errors.New("others than root can write it, or it is no file: chown root:root, chmod 644")
	}
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(text) > most {
		err = fmt.Errorf("it is larger than %d bytes", most)
	}
	return text, err
}

func (h *Host) decode(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(h)
	if err == nil && d.More() {
		err = errors.New("something follows the settings")
	}
	if err != nil {
		at := d.InputOffset()
		if wrong := new(json.SyntaxError); errors.As(err, &wrong) {
			at = wrong.Offset
		}
		before := text[:min(int(at), len(text))]
		return fmt.Errorf("line %d: %w", 1+bytes.Count(before, []byte("\n")), err)
	}
	switch h.Firewall {
	case Prefer, NFT, NWFilter:
		return nil
	}
	return fmt.Errorf("firewall is %q, and can be %q, %q or %q", h.Firewall, Prefer, NFT, NWFilter)
}
