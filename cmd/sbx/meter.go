package main

import (
	"io"
	"time"
)

// meter shows on a terminal how much has been copied, once that takes a while.
type meter struct {
	w     io.Writer // nil where there is no terminal
	begun time.Time
	last  time.Time
}

// A meter appears after meterDelay and changes every meterPause.
const (
	meterDelay = time.Second
	meterPause = 200 * time.Millisecond
)

func newMeter(w io.Writer) *meter {
	m := &meter{begun: time.Now()}
	if isTerminal(w) {
		m.w = w
	}
	return m
}

// show tells how many bytes there are by now.
func (m *meter) show(bytes int64) {
	now := time.Now()
	if m.w == nil || now.Sub(m.begun) < meterDelay || now.Sub(m.last) < meterPause {
		return
	}
	m.last = now
	sayf(m.w, "\r\x1b[K%d MiB copied", bytes>>20)
}

// clear takes the line away.
func (m *meter) clear() {
	if !m.last.IsZero() {
		sayf(m.w, "\r\x1b[K")
	}
}
