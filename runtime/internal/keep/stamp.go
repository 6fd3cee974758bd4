package keep

import (
	"time"

	"github.com/sbx-dev/sbx/internal/logfile"
)

// stamper says what time a line of the log gets: the sandbox's word for it, as far as
// that can be. A line of next year would keep every later one out of what follows the
// log, or asks for the latest hour of it.
type stamper struct {
	last  time.Time // of the lines so far
	now   func() time.Time
	begun bool // what an earlier keeper may have written is over
}

// newStamper goes on after a log's last line. first says that no keeper has written any
// since the sandbox's start: then all are new, also those of a sandbox whose clock, as a
// machine's own may, is behind that of the one before it; they are later than that line.
func newStamper(last time.Time, first bool) *stamper {
	if first && !last.IsZero() {
		last = last.Add(1)
	}
	return &stamper{last: last, now: time.Now, begun: first}
}

// stamp gives the time of a line; fresh is false for one that an earlier keeper has
// written: sbx-init tells each keeper all that it still holds, the oldest first.
func (s *stamper) stamp(said time.Time) (at time.Time, fresh bool) {
	latest := s.now().Add(logfile.Ahead)
	at = said
	if at.After(latest) {
		at = latest
	}
	if !s.begun && !at.After(s.last) {
		return at, false
	}
	if at.Before(s.last) { // its clock was put back
		at = s.last
	}
	s.begun, s.last = true, at
	return at, true
}
