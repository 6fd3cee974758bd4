// Package privilege decides as whom a command runs and what it may do: its user
// and groups, and its capabilities.
package privilege

import (
	"syscall"

	"github.com/sbx-dev/sbx/internal/accounts"
)

// User is one of the sandbox's users.
type User struct{ accounts.User }

// Lookup finds a user of this sandbox, as accounts.Databases does.
func Lookup(spec string) (User, error) {
	u, err := accounts.Inside.Lookup(spec)
	return User{u}, err
}

// Credential is the user as the kernel wants it.
func (u User) Credential() *syscall.Credential {
	return &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
}
