package verb

import (
	"os"
	"sync"

	"github.com/sbx-dev/sbx/internal/memo"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/schema/load"
)

// noMemoryVar is the variable that has profiles be evaluated anew each time, by "off".
const noMemoryVar = "SBX_CACHE"

// remembers says whether profiles that were right are kept; tests keep none.
var remembers bool

// Remember has the profiles that are right be kept for the next time, unless the
// environment says otherwise.
func Remember() { remembers = os.Getenv(noMemoryVar) != "off" }

// Memory is where profiles that were right are kept, nil where they are not: they are
// then evaluated, which takes longer and comes to the same.
func Memory() load.Memory {
	if store := memory(); store != nil {
		return store
	}
	return nil
}

var memory = sync.OnceValue(func() *memo.Store {
	if !remembers {
		return nil
	}
	store, err := OpenProfiles()
	if err != nil {
		return nil
	}
	return store
})

// OpenProfiles opens the folder of the profiles that are kept.
func OpenProfiles() (*memo.Store, error) {
	dir, err := state.Of(os.Geteuid()).Make(state.Profiles)
	if err != nil {
		return nil, err
	}
	return memo.Open(dir)
}
