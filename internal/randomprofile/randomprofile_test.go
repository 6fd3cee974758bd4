package randomprofile

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"testing/fstest"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/schema/load"
)

// What is made by chance is what a person could write: the schema takes it, and it
// compiles.
func TestProfilesAreValid(t *testing.T) {
	m := &Maker{Rand: rand.New(rand.NewPCG(1, 2)), Bridge: "br0"}
	for n := range 60 {
		m.Starts = n%2 == 0
		p := m.Profile("random")
		data, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		c := load.Config{FS: fstest.MapFS{"p.json": {Data: data}}}
		if _, err := c.Load("p.json"); err != nil {
			t.Errorf("%v\n%s", err, data)
		}
		if _, err := compiler.Compile(p, compiler.Options{}); err != nil {
			t.Errorf("%v\n%s", err, data)
		}
	}
}
