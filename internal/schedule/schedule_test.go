package schedule

import (
	"os/exec"
	"strings"
	"testing"
)

// right and wrong are schedules as people write them.
var (
	right = []string{
		"hourly", "daily", "weekly", "monthly", "1m", "15m", "1h30m", "720h",
		"06:30", "6:5", "*:0/15", "00,12:00:00", "04:00 UTC", "04:00:30 Europe/Berlin", "04:00 America/Argentina/Salta",
		"Mon", "Mon..Fri 06:30", "Sat,Sun 8:00", "Mon..Wed,Fri *-*-* 06:30:00 UTC",
		"*-*-01 04:00", "2026-12-24", "12-24 18:00", "*-1,4,7,10-01", "*-*-1..7 12:00",
	}
	wrong = map[string]string{
		"":                  "want ",
		" ":                 "want ",
		"sometimes":         "want ",
		"Daily":             "day of the week",
		"15":                "want ",
		"30s":               `from "1m"`,
		"-5m":               `from "1m"`,
		"1.5s":              `from "1m"`,
		"1000h":             `"720h"`,
		"24:00":             `"24" is no hour`,
		"06:60":             `"60" is no minute`,
		"06:30:99":          `"99" is no second`,
		"06:30:00:00":       "want ",
		"06:":               `"" is no minute`,
		"Mon..":             `"" is no day`,
		"Moon 06:30":        `"Moon" is no day`,
		"*-13-01":           `"13" is no month`,
		"*-02-32":           `"32" is no day`,
		"1066-10-14":        `"1066" is no year`,
		"1-2-3-4":           "want ",
		"*:0/0":             `"0" is no step`,
		"06:30 Mon":         "want ",
		"06:30  UTC":        "want ",
		"06:30\nExecStart=": "is no minute",
		"06:30 %h":          "want ",
		"UTC":               "want ",
	}
)

func TestParse(t *testing.T) {
	for _, text := range right {
		if _, err := Parse(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range wrong {
		if s, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v, want %q", text, s, err, want)
		}
	}
}

// What is right here is so for systemd, whose analyser needs no systemd to run.
func TestSystemdAgrees(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not there")
	}
	for _, text := range right {
		s, err := Parse(text)
		if err != nil || s.Calendar == "" {
			continue
		}
		if out, err := exec.Command(analyze, "calendar", s.Calendar).CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s", text, err, out)
		}
	}
}

func TestTimer(t *testing.T) {
	for text, want := range map[string]string{
		"Mon..Fri 06:30": "OnCalendar=Mon..Fri 06:30\nPersistent=true\n",
		"15m":            "OnActiveSec=900s\nOnUnitActiveSec=900s\n",
	} {
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Timer("backup"); !strings.Contains(got, want) || !strings.Contains(got, "Unit=sbx-job@backup.service\n") {
			t.Errorf("%q:\n%s", text, got)
		}
	}
}
