package schema

import (
	"fmt"
	"strconv"
	"strings"
)

// Display is a screen inside, which a viewer on the host shows.
type Display struct {
	Size      string    `json:"size"` // "WIDTHxHEIGHT" in pixels
	Server    Server    `json:"server"`
	Clipboard Clipboard `json:"clipboard"`
	Resize    bool      `json:"resize,omitempty"` // a viewer may change the size
}

// NewDisplay is a screen as a profile has it that says nothing of it.
func NewDisplay() *Display {
	d := new(Display)
	d.fill()
	return d
}

// Server is what draws a screen.
type Server string

// X11 is an X server, which is one for viewers, too.
const X11 Server = "x11"

// Clipboard is the direction in which copied text passes.
type Clipboard string

// The directions.
const (
	ClipboardNone Clipboard = "none"
	ClipboardIn   Clipboard = "in"  // from the viewer into the sandbox
	ClipboardOut  Clipboard = "out" // from the sandbox to the viewer
	ClipboardBoth Clipboard = "both"
)

// In says whether text passes into the sandbox.
func (c Clipboard) In() bool { return c == ClipboardIn || c == ClipboardBoth }

// Out says whether text passes out of the sandbox.
func (c Clipboard) Out() bool { return c == ClipboardOut || c == ClipboardBoth }

// Pixels are the width and height of the screen.
func (d *Display) Pixels() (width, height int, err error) {
	w, h, _ := strings.Cut(d.Size, "x")
	width, err = strconv.Atoi(w)
	if err == nil {
		height, err = strconv.Atoi(h)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%q is not the size of a screen: %w", d.Size, err)
	}
	return width, height, nil
}

func (d *Display) fill() {
	if d.Size == "" {
		d.Size = "1280x800"
	}
	if d.Server == "" {
		d.Server = X11
	}
	if d.Clipboard == "" {
		d.Clipboard = ClipboardNone
	}
}
