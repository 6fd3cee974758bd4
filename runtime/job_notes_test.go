package runtime

import (
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
)

// A job that is no longer one has its timer until that is removed: an Up that is
// interrupted before leaves a note of it.
func TestInterimNotesKeepTheTimer(t *testing.T) {
	for _, test := range []struct{ had, wants, noted string }{
		{"daily", "", "daily"},
		{"daily", "hourly", "hourly"},
		{"", "", ""},
	} {
		u := up{
			s:      &bound.Sandbox{Metadata: &compiler.Metadata{Every: test.wants}},
			have:   &observe.Observed{Metadata: &compiler.Metadata{Every: test.had}},
			result: new(UpResult),
		}
		text, err := u.interimNotes()
		if err != nil {
			t.Fatal(err)
		}
		if m, err := compiler.DecodeMetadata(text); err != nil || m.Every != test.noted {
			t.Errorf("of %+v, what is noted is %+v: %v", test, m, err)
		}
	}
}
