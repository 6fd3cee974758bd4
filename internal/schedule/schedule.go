// Package schedule reads when a job runs, as profiles say it, and says it to systemd.
// Nothing of it asks this host.
package schedule

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Schedule is when a job runs; one of both is set.
type Schedule struct {
	Interval time.Duration // from one run's start to the next
	Calendar string        // as systemd.time(7) has calendar events
}

// words are the calendar events that systemd has a word for.
var words = []string{"minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly"}

// Parse reads a word such as "daily", an interval such as "15m", or a calendar event
// such as "Mon..Fri 06:30".
func Parse(text string) (Schedule, error) {
	if slices.Contains(words, text) {
		return Schedule{Calendar: text}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		if d < time.Minute || d > 30*24*time.Hour || d%time.Second != 0 {
			return Schedule{}, errors.New(`want an interval from "1m" to "720h", in whole seconds`)
		}
		return Schedule{Interval: d}, nil
	}
	if err := checkCalendar(text); err != nil {
		return Schedule{}, err
	}
	return Schedule{Calendar: text}, nil
}

// Timer is the unit of systemd's that starts the job of the named sandbox.
func (s Schedule) Timer(sandbox string) string {
	// A run that the host slept through is made up for, which an interval does anyway:
	// it begins anew when the host starts.
	when := fmt.Sprintf("OnCalendar=%s\nPersistent=true", s.Calendar)
	if s.Interval > 0 {
		when = fmt.Sprintf("OnActiveSec=%ds\nOnUnitActiveSec=%[1]ds", int(s.Interval/time.Second))
	}
	return fmt.Sprintf(`# Made by sbx up, by the profile's every. sbx down %[1]s removes it.
[Unit]
Description=The runs of the sandbox %[1]s
Documentation=man:sbx-up(1)

[Timer]
Unit=sbx-job@%[1]s.service
AccuracySec=1s
%[2]s

[Install]
WantedBy=timers.target
`, sandbox, when)
}
