package runtime

import (
	"reflect"
	"slices"
	"testing"
)

// mayBeNone are the questions that a kind may answer with nothing.
var mayBeNone = []string{"state", "embedded", "signals", "resizes", "limited", "mapped", "holdsBack", "kills"}

// A kind that does not answer would be found out where it is asked, by a user.
func TestKindsAnswer(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range kinds {
		v := reflect.ValueOf(*k)
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() && !slices.Contains(mayBeNone, name) {
				t.Errorf("%s does not say its %s", k.name, name)
			}
		}
		if seen[k.driver] || seen[string(k.name)] {
			t.Errorf("%s or its driver %s is there twice", k.name, k.driver)
		}
		if !slices.Contains(k.made, k.manifest) {
			t.Errorf("%s has its orders in %s, which is not among what it makes", k.name, k.manifest)
		}
		seen[k.driver], seen[string(k.name)] = true, true
	}
	if k, err := kindNamed("jail"); err == nil {
		t.Errorf("an unknown backend is taken for %s", k.name)
	}
}
