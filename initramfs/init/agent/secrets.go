package agent

import (
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/privilege"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// secrets are files whose content the host sends. Until all are there, nothing
// runs in the sandbox.
type secrets struct {
	dir      string
	names    []string
	mu       sync.Mutex
	sent     map[string]bool
	complete chan struct{} // closed when all are there
}

func newSecrets(names []string) *secrets {
	s := &secrets{dir: manifest.SecretsDir, names: names, sent: map[string]bool{}, complete: make(chan struct{})}
	if len(names) == 0 {
		close(s.complete)
	}
	return s
}

// missing says whether the sandbox still waits for one.
func (s *secrets) missing() bool {
	select {
	case <-s.complete:
		return false
	default:
		return true
	}
}

// put writes the secret to its file, which the user alone can read. One that is
// sent again replaces the older.
func (s *secrets) put(secret channel.Secret, user privilege.User) error {
	if !slices.Contains(s.names, secret.Name) {
		return &channel.Failure{Reason: channel.ReasonRefused, Message: "the sandbox has no secret " + secret.Name}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := writeSecret(filepath.Join(s.dir, secret.Name), secret.Value, user); err != nil {
		return &channel.Failure{Reason: channel.ReasonFailed, Message: err.Error()}
	}
	s.sent[secret.Name] = true
	if len(s.sent) == len(s.names) && s.missing() {
		close(s.complete)
	}
	return nil
}

// writeSecret gives the file to the user before there is anything in it.
func writeSecret(path string, value []byte, user privilege.User) error {
	fresh := path + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o400)
	if err != nil {
		return err
	}
	defer f.Close()
	if user.UID != 0 { // root's it is already
		if err := f.Chown(int(user.UID), int(user.GID)); err != nil {
			return err
		}
	}
	if _, err := f.Write(value); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// takeSecret answers the host's sending of a secret.
func (a *Agent) takeSecret(r channel.Request, s *channel.Stream) {
	err := a.broken
	if err == nil && r.Secret == nil {
		err = &channel.Failure{Reason: channel.ReasonRefused, Message: "this names no secret"}
	}
	var user privilege.User
	if err == nil {
		user, err = a.commands.user("")
	}
	if err == nil {
		err = a.secrets.put(*r.Secret, user)
	}
	if err != nil {
		fail(s, err)
	} else {
		_ = s.Send(channel.KindDone, nil) // a lost host sends it again
	}
	awaitHost(s)
}
