package known

import (
	"reflect"
	"slices"
	"testing"
)

// mayBeNone are the questions that a kind may answer with nothing.
var mayBeNone = []string{"State", "Leaves", "Embedded", "Signals", "Resizes", "Limit", "Leave", "Mapped", "HoldsBack", "LogsEnd", "Kills", "Refused"}

// A kind that does not answer would be found out where it is asked, by a user.
func TestKindsAnswer(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range All() {
		v := reflect.ValueOf(*k)
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() && !slices.Contains(mayBeNone, name) {
				t.Errorf("%s does not say its %s", k.Name, name)
			}
		}
		if seen[k.Driver] || seen[string(k.Name)] {
			t.Errorf("%s or its driver %s is there twice", k.Name, k.Driver)
		}
		if !slices.Contains(k.Made, k.Manifest) {
			t.Errorf("%s has its orders in %s, which is not among what it makes", k.Name, k.Manifest)
		}
		seen[k.Driver], seen[string(k.Name)] = true, true
	}
	if k, err := Named("jail"); err == nil {
		t.Errorf("an unknown backend is taken for %s", k.Name)
	}
}
