package keep

import (
	"slices"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/logfile"
)

// A sandbox says when it wrote what; the log follows as far as that can be, and loses
// nothing by what cannot.
func TestTimesThatASandboxSays(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	latest := now.Add(logfile.Ahead)
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	for name, c := range map[string]struct {
		last       time.Time
		first      bool
		said, want []time.Time // what is not written gets none
	}{
		"as it is":      {time.Time{}, true, []time.Time{at(-9), at(-9), at(-3), at(5)}, []time.Time{at(-9), at(-9), at(-3), at(5)}},
		"next year":     {time.Time{}, true, []time.Time{now.AddDate(1, 0, 0), at(1)}, []time.Time{latest, latest}},
		"back":          {time.Time{}, true, []time.Time{at(-3), at(-9), time.Unix(0, -1<<63), at(-2)}, []time.Time{at(-3), at(-3), at(-3), at(-2)}},
		"told again":    {at(-5), false, []time.Time{at(-9), at(-5), at(-4), at(-6)}, []time.Time{{}, {}, at(-4), at(-4)}},
		"a later start": {at(-5), true, []time.Time{at(-9), at(-4)}, []time.Time{at(-5).Add(1), at(-4)}},
	} {
		s := newStamper(c.last, c.first)
		s.now = func() time.Time { return now }
		var got []time.Time
		for _, said := range c.said {
			at, fresh := s.stamp(said)
			if !fresh {
				at = time.Time{}
			}
			got = append(got, at)
		}
		if !slices.EqualFunc(got, c.want, time.Time.Equal) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
