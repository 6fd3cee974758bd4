package limited

import (
	"errors"
	"os"
	"testing"
	"time"
)

// Somebody else who holds the report's end does not keep whoever reads it waiting for
// ever, whether they write to it or not; and what was said in time is heard late.
func TestAReportThatSomebodyKeepsOpen(t *testing.T) {
	for _, c := range []struct {
		written, limit string
		wait           time.Duration
	}{{"", "", 10 * time.Millisecond}, {`{"Limit":"no"}`, "no", 10 * time.Millisecond}, {`{"Limit":"no"}`, "no", -time.Second}} {
		from, to, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer to.Close()
		defer from.Close()
		if _, err := to.WriteString(c.written); err != nil {
			t.Fatal(err)
		}
		told := make(chan error, 1)
		go func() { told <- Told(from, c.wait) }()
		select {
		case err := <-told:
			failure := new(Failure)
			if errors.As(err, &failure); failure.Limit != c.limit || c.limit == "" && err != nil {
				t.Errorf("%q: %v", c.written, err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%q: it waits for ever", c.written)
		}
	}
}
