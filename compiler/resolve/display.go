package resolve

import (
	"fmt"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/schema"
)

// displaySize bounds the folder of the X server's keys and sockets.
const displaySize = 1 << 20

// manifestDisplay is the profile's screen; nil where it has none.
func manifestDisplay(p *schema.Profile) (*manifest.Display, error) {
	d := p.Display
	if d == nil {
		return nil, nil
	}
	if d.Server != schema.X11 {
		return nil, fmt.Errorf("%s: display.server: sbx has no screen that %q draws", p.Source.Pos("display.server"), d.Server)
	}
	width, height, err := d.Pixels()
	if err != nil {
		return nil, fmt.Errorf("%s: display.size: %w", p.Source.Pos("display.size"), err)
	}
	return &manifest.Display{
		Width: width, Height: height, Resize: d.Resize,
		ClipboardIn: d.Clipboard.In(), ClipboardOut: d.Clipboard.Out(),
	}, nil
}

// displayMount is where the X server and the command each keep what is their own.
var displayMount = manifest.Mount{Kind: manifest.Tmpfs, Target: manifest.DisplayDir, Size: displaySize, Mode: 0o1777}
