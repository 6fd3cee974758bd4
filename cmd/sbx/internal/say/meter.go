package say

import (
	"io"
	"time"
)

// Meter shows on a terminal how much has been copied, once that takes a while.
type Meter struct {
	w     io.Writer // nil where there is no terminal
	begun time.Time
	last  time.Time
}

// A meter appears after meterDelay and changes every meterPause.
const (
	meterDelay = time.Second
	meterPause = 200 * time.Millisecond
)

func NewMeter(w io.Writer) *Meter {
	m := &Meter{begun: time.Now()}
	if IsTerminal(w) {
		m.w = w
	}
	return m
}

// Show tells how many bytes there are by now.
func (m *Meter) Show(bytes int64) {
	now := time.Now()
	if m.w == nil || now.Sub(m.begun) < meterDelay || now.Sub(m.last) < meterPause {
		return
	}
	m.last = now
	Fprintf(m.w, "\r\x1b[K%d MiB copied", bytes>>20)
}

// Clear takes the line away.
func (m *Meter) Clear() {
	if !m.last.IsZero() {
		Fprintf(m.w, "\r\x1b[K")
	}
}
