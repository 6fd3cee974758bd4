package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// fromNothing are the pages that somebody reads who has a checkout and nothing
// else of sbx, and the umask that they have: root's is often a strict one.
var fromNothing = map[string]int{"../README.md": 0o022, "tutorial.md": 0o077}

// TestStranger runs the pages that lead in, each as its own reader would: in the
// checkout, on a host without any trace of sbx, which they install first.
func TestStranger(t *testing.T) {
	testhost.Need(t)
	for page, umask := range fromNothing {
		t.Run(strings.TrimSuffix(filepath.Base(page), ".md"), func(t *testing.T) {
			forget(t)
			env := goCaches(t)
			prefix := t.TempDir() // the test host's /usr/local is the machine's
			runPage(t, page, "..", umask, append(env,
				"PREFIX="+prefix, "BIN="+t.TempDir(), "PATH="+path(filepath.Join(prefix, "bin")), "HOME="+t.TempDir(),
				"GIT_AUTHOR_NAME=reader", "GIT_AUTHOR_EMAIL=reader@example.org",
				"GIT_COMMITTER_NAME=reader", "GIT_COMMITTER_EMAIL=reader@example.org")...)
		})
	}
}

// forget removes what sbx has left on the test host.
func forget(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"/var/lib/sbx", "/var/log/sbx", "/etc/sbx"} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// goCaches are what go has fetched and built, wherever a reader's home folder is:
// a test host has no network.
func goCaches(t *testing.T) (env []string) {
	t.Helper()
	for _, name := range []string{"GOMODCACHE", "GOCACHE"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+strings.TrimSpace(string(out)))
	}
	return env
}
