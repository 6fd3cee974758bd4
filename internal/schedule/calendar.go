package schedule

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/internal/pattern"
)

// errCalendar is what a schedule may be.
var errCalendar = errors.New(`want "hourly", "daily", "weekly" or the like, an interval as in "15m", or a calendar event of systemd.time(7) as in "06:30", "Mon..Fri 06:30" or "*-*-01 04:00:00 UTC"`)

var (
	zone     = pattern.Of(`^(UTC|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z0-9_+-]*){1,2})$`)
	weekdays = []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}
)

// checkCalendar holds text against the grammar of calendar events: weekdays, a date, a
// time and a zone, each of which may be left out, and one of the first three not. Of
// systemd's grammar it lacks days that are counted from a month's end, and fractions.
func checkCalendar(text string) error {
	left := strings.Split(text, " ")
	next := func(is func(string) bool) (word string, ok bool) {
		if len(left) == 0 || !is(left[0]) {
			return "", false
		}
		word, left = left[0], left[1:]
		return word, true
	}
	var failed []error
	said := false
	if days, ok := next(func(w string) bool { return w != "" && w[0] >= 'A' && w[0] <= 'Z' && !zone().MatchString(w) }); ok {
		said, failed = true, append(failed, checkDays(days))
	}
	if date, ok := next(func(w string) bool { return strings.Contains(w, "-") && !zone().MatchString(w) }); ok {
		said, failed = true, append(failed, checkDate(date))
	}
	if at, ok := next(func(w string) bool { return strings.Contains(w, ":") }); ok {
		said, failed = true, append(failed, checkTime(at))
	}
	next(zone().MatchString)
	if len(left) > 0 || !said {
		return errCalendar
	}
	return errors.Join(failed...)
}

// checkDays checks days of the week, such as "Mon..Fri,Sun".
func checkDays(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranged := strings.Cut(part, "..")
		for _, day := range []string{from, to} {
			if (ranged || day != "") && !slices.Contains(weekdays, day) {
				return fmt.Errorf("%q is no day of the week: want Mon, Tue, Wed, Thu, Fri, Sat or Sun", day)
			}
		}
	}
	return nil
}

// checkDate checks month and day, with the year or without.
func checkDate(text string) error {
	parts := strings.Split(text, "-")
	switch len(parts) {
	case 2:
		return errors.Join(checkPart("month", parts[0], 1, 12), checkPart("day", parts[1], 1, 31))
	case 3:
		return errors.Join(checkPart("year", parts[0], 1970, 2199), checkPart("month", parts[1], 1, 12), checkPart("day", parts[2], 1, 31))
	}
	return errCalendar
}

// checkTime checks hour and minute, with the second or without.
func checkTime(text string) error {
	parts := strings.Split(text, ":")
	if len(parts) > 3 {
		return errCalendar
	}
	failed := []error{checkPart("hour", parts[0], 0, 23), checkPart("minute", parts[1], 0, 59)}
	if len(parts) == 3 {
		failed = append(failed, checkPart("second", parts[2], 0, 59))
	}
	return errors.Join(failed...)
}

// checkPart checks one number's place: "*", "5", "1..5", "0/15", and several of them.
func checkPart(what, text string, low, high int) error {
	for one := range strings.SplitSeq(text, ",") {
		values, step, stepped := strings.Cut(one, "/")
		if stepped && !isNumber(step, 1, high) {
			return fmt.Errorf("%q is no step of the %s", step, what)
		}
		if values == "*" {
			continue
		}
		from, to, ranged := strings.Cut(values, "..")
		if !isNumber(from, low, high) || ranged && !isNumber(to, low, high) {
			return fmt.Errorf("%q is no %s: want %d to %d, a range as in \"%[3]d..%[4]d\", steps as in \"%[3]d/2\", or \"*\"", values, what, low, high)
		}
	}
	return nil
}

func isNumber(text string, low, high int) bool {
	if text == "" || len(text) > 4 || strings.Trim(text, "0123456789") != "" {
		return false
	}
	n, err := strconv.Atoi(text)
	return err == nil && n >= low && n <= high
}
