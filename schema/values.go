package schema

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written "64KiB", "256MiB" or "2GiB".
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}

// ParseSize reads a size. A missing or unknown unit, a zero and what does not
// fit an int64 are errors.
func ParseSize(s string) (Size, error) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || n == 0 || int64(n) > math.MaxInt64/u.bytes {
			return 0, fmt.Errorf("size %q is out of range", s)
		}
		return Size(int64(n) * u.bytes), nil
	}
	return 0, fmt.Errorf("size %q has no unit: want a whole number and KiB, MiB, GiB or TiB, as in 256MiB", s)
}

// String writes the size in the largest unit that holds it exactly.
func (s Size) String() string {
	for i := len(sizeUnits) - 1; i >= 0; i-- {
		if u := sizeUnits[i]; s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText implements encoding.TextMarshaler.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSize(string(text))
	return err
}

// Duration is a span of time, written as Go writes it: "500ms", "10s", "1m30s".
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	t, err := time.ParseDuration(string(text))
	*d = Duration(t)
	return err
}

// Ports is an inclusive range of port numbers: 80, or "8000-8010".
type Ports struct{ From, To uint16 }

// String writes the range as a profile does: "80" or "8000-8010".
func (p Ports) String() string {
	if p.From == p.To {
		return strconv.Itoa(int(p.From))
	}
	return fmt.Sprintf("%d-%d", p.From, p.To)
}

// MarshalJSON implements json.Marshaler.
func (p Ports) MarshalJSON() ([]byte, error) {
	if p.From == p.To {
		return json.Marshal(p.From)
	}
	return json.Marshal(p.String())
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *Ports) UnmarshalJSON(data []byte) error {
	var one uint16
	if json.Unmarshal(data, &one) == nil {
		p.From, p.To = one, one
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("port %s is neither a number nor a range", data)
	}
	low, high, ok := strings.Cut(text, "-")
	from, err1 := strconv.ParseUint(low, 10, 16)
	to, err2 := strconv.ParseUint(high, 10, 16)
	if !ok || err1 != nil || err2 != nil {
		return fmt.Errorf("port range %q is not of the form \"8000-8010\"", text)
	}
	p.From, p.To = uint16(from), uint16(to)
	return nil
}

// List is a list of words that may be written as a single one; numbers are
// kept as their decimal text.
type List []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *List) UnmarshalJSON(data []byte) error {
	var values []json.RawMessage
	if json.Unmarshal(data, &values) != nil {
		values = []json.RawMessage{data}
	}
	*l = nil
	for _, v := range values {
		var word string
		var number int
		switch {
		case json.Unmarshal(v, &word) == nil:
			*l = append(*l, word)
		case json.Unmarshal(v, &number) == nil:
			*l = append(*l, strconv.Itoa(number))
		default:
			return fmt.Errorf("%s is neither a string nor a whole number", v)
		}
	}
	return nil
}
