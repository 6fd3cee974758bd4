package review

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/randomprofile"
	"github.com/sbx-dev/sbx/schema"
)

// What a profile has AppArmor or SELinux do is the same in every compilation, and where
// two versions have them do something else, a review says what has changed.
func TestNoPolicyChangesInSilence(t *testing.T) {
	m := &randomprofile.Maker{Rand: rand.New(rand.NewPCG(15, 15)), Bridge: "br0"}
	changes := map[string]int{}
	for range 200 {
		before := m.Profile("web")
		after := changed(m, before)
		old, new := confined(t, before), confined(t, after)
		if old == nil || new == nil {
			continue // one of them is none that the schema takes
		}
		for file, text := range old {
			if bytes.Equal(text, new[file]) {
				continue
			}
			changes[file]++
			report, err := Compare(Version{Profile: before}, Version{Profile: after})
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Changes) == 0 {
				t.Fatalf("%s changes, and the review is silent\n%s\n%s", file, text, new[file])
			}
		}
	}
	for _, file := range []string{compiler.AppArmorFile, compiler.SELinuxFile} {
		if changes[file] < 20 {
			t.Errorf("too few changes of %s to say anything: %v", file, changes)
		}
	}
}

// confined are what confines a profile's sandbox, of two compilations; nil where the
// profile is none that can be compiled.
func confined(t *testing.T, p *schema.Profile) map[string][]byte {
	t.Helper()
	var twice [2]map[string][]byte
	for i := range twice {
		b, err := compiler.Compile(p, compiler.Options{})
		if err != nil {
			return nil
		}
		twice[i] = map[string][]byte{compiler.AppArmorFile: b.File(compiler.AppArmorFile), compiler.SELinuxFile: b.File(compiler.SELinuxFile)}
	}
	for file, text := range twice[0] {
		if !bytes.Equal(text, twice[1][file]) {
			t.Fatalf("two compilations differ in %s:\n%s\n%s", file, text, twice[1][file])
		}
	}
	return twice[0]
}
