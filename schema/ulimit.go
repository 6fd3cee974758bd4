package schema

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/sbx-dev/sbx/schema/diag"
)

// Ulimit is what a process may have of something: Soft until it changes that itself,
// which it may as far as Hard.
type Ulimit struct {
	Soft Amount `json:"soft"`
	Hard Amount `json:"hard"`
}

// UnmarshalJSON implements json.Unmarshaler: one amount is both.
func (u *Ulimit) UnmarshalJSON(data []byte) error {
	var both Amount
	if json.Unmarshal(data, &both) == nil {
		u.Soft, u.Hard = both, both
		return nil
	}
	type plain Ulimit
	two := plain{Hard: Unlimited} // where it is refused, and so missing, soft is not above it
	if err := json.Unmarshal(data, &two); err != nil {
		return err
	}
	*u = Ulimit(two)
	return nil
}

// MarshalJSON implements json.Marshaler.
func (u Ulimit) MarshalJSON() ([]byte, error) {
	if u.Soft == u.Hard {
		return json.Marshal(u.Soft)
	}
	type plain Ulimit
	return json.Marshal(plain(u))
}

// String writes the limit for people.
func (u Ulimit) String() string {
	if u.Soft == u.Hard {
		return u.Soft.String()
	}
	return fmt.Sprintf("%v, which a process may raise to %v", u.Soft, u.Hard)
}

// Amount is how much of something there may be, a number or Unlimited.
type Amount int64

// Unlimited is no limit.
const Unlimited Amount = math.MaxInt64

const unlimited = "unlimited"

// UnmarshalJSON implements json.Unmarshaler: a number, a size or "unlimited".
func (a *Amount) UnmarshalJSON(data []byte) error {
	var number int64
	if json.Unmarshal(data, &number) == nil {
		*a = Amount(number)
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("%s is no amount", data)
	}
	if text == unlimited {
		*a = Unlimited
		return nil
	}
	size, err := ParseSize(text)
	*a = Amount(size)
	return err
}

// MarshalJSON implements json.Marshaler.
func (a Amount) MarshalJSON() ([]byte, error) {
	if a == Unlimited {
		return json.Marshal(unlimited)
	}
	return json.Marshal(int64(a))
}

// String writes the amount for people.
func (a Amount) String() string {
	if a == Unlimited {
		return unlimited
	}
	return strconv.FormatInt(int64(a), 10)
}

// mostFiles is how many files a kernel lets a process have open, unless its host says
// otherwise (fs.nr_open in Documentation/admin-guide/sysctl/fs.rst).
const mostFiles = 1 << 20

// ulimits checks how the two amounts of each stand to each other, and what no kernel
// takes.
func (c *checker) ulimits() {
	for _, name := range sorted(c.Resources.Ulimits) {
		u, at := c.Resources.Ulimits[name], Field("resources.ulimits", name)
		if name == "nofile" && u.Hard > mostFiles {
			c.fail(diag.Ulimit, at, fmt.Sprintf("want %d at most", mostFiles), "no process may have %v files open", u.Hard)
		}
		if u.Soft > u.Hard {
			c.fail(diag.Ulimit, at, "a process may raise what is soft as far as what is hard", "the soft limit %v is above the hard one %v", u.Soft, u.Hard)
		}
	}
}

// Sysctl is what a setting of the kernel is set to.
type Sysctl string

// UnmarshalJSON implements json.Unmarshaler: a number is its decimal text.
func (s *Sysctl) UnmarshalJSON(data []byte) error {
	var number int64
	if json.Unmarshal(data, &number) == nil {
		*s = Sysctl(strconv.FormatInt(number, 10))
		return nil
	}
	return json.Unmarshal(data, (*string)(s))
}
