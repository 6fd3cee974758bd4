package removal

import (
	"context"
	"slices"

	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/locks"
)

// Policies takes away at once what SELinux's policy has of the named sandboxes, but for
// those of which stays says so, or does not know. That is asked under the lock of whoever
// makes and starts sandboxes, so that none begins to need its policy meanwhile.
func (r *Remover) Policies(ctx context.Context, names []string, stays func(name string) (bool, error)) error {
	if len(names) == 0 {
		return nil
	}
	unlock, err := r.Locks.Lock(ctx, locks.All)
	if err != nil {
		return err
	}
	defer unlock()
	gone := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		stays, err := stays(name)
		return stays || err != nil
	})
	_, err = confinement.Withdraw(gone...)
	return err
}
