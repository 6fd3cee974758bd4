package display

import (
	"fmt"
	"os"
)

// needs are what the server compiles its keyboard of, and by what. Without them it ends
// with a word of its own for that, and none of what is missing.
var needs = []struct{ path, mend string }{
	{"/usr/share/X11/xkb", "install it on the host (Debian's xkb-data, Fedora's xkeyboard-config), and expose /usr"},
	{"/usr/bin/xkbcomp", "install it on the host (Debian's x11-xkb-utils, Fedora's xkbcomp), and expose /usr"},
}

// checkNeeds says which of them the sandbox does not see, and whether the server can
// write where it compiles.
func checkNeeds() error {
	for _, n := range needs {
		if info, err := os.Stat(n.path); err != nil || info.IsDir() && isEmpty(n.path) {
			return fmt.Errorf("the display's X server makes its keyboard of %s, which the sandbox does not see: %s", n.path, n.mend)
		}
	}
	if err := owner.As(writeTemporary); err != nil {
		return fmt.Errorf("the display's X server compiles its keyboard in /tmp, where the user %d cannot write: %w; give the profile mounts: \"/tmp\": {tmpfs: \"64MiB\", mode: \"1777\"}", owner.UID, err)
	}
	return nil
}

func writeTemporary() error {
	f, err := os.CreateTemp("/tmp", "display-")
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}

func isEmpty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) == 0
}
