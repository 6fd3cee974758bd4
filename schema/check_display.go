package schema

import (
	"github.com/sbx-dev/sbx/internal/within"
	"github.com/sbx-dev/sbx/schema/diag"
)

// maxScreen is the most pixels of a screen, 128 MiB of the sandbox's memory: 7680x4320
// are within it.
const maxScreen = 1 << 25

// displayFolder is where a screen's sockets and keys are inside.
const displayFolder = "/run/display"

// display checks a screen against the memory and the mounts that it needs.
func (c *checker) display() {
	if c.Display == nil || c.Display.Size == "" {
		return
	}
	const at = "display.size"
	if width, height, err := c.Display.Pixels(); err == nil && width*height > maxScreen {
		c.fail(diag.BadNumber, at, "7680x4320 is the most of the usual sizes", "%s is too large a screen: it has %d pixels, and %d may be", c.Display.Size, width*height, maxScreen)
	}
	for _, m := range sorted(c.Mounts) {
		if within.Dir(m, displayFolder) {
			d := c.fail(diag.Reserved, Field("mounts", m), "mount it elsewhere", "nothing can be mounted at %q: the screen's X server has its sockets and keys there", m)
			c.note(d, "display", "the screen is named here")
		}
	}
}
