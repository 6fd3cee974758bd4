package doctor

import (
	"context"
	"os/exec"

	"github.com/sbx-dev/sbx/internal/tigervnc"
)

// screens looks for what sandboxes with a display need of the host: the X server that
// they run, and TigerVNC's viewer.
func screens(context.Context, host) Check {
	found := func(names ...string) string {
		for _, name := range names {
			if path, err := exec.LookPath(name); err == nil {
				return path
			}
		}
		return ""
	}
	server, viewer := found(tigervnc.Servers...), found(tigervnc.Viewers...)
	switch {
	case server == "":
		return warn("apt install tigervnc-standalone-server tigervnc-viewer", "there is no Xtigervnc or Xvnc in /usr/bin: sandboxes with a display do not start")
	case viewer == "":
		return warn("apt install tigervnc-viewer", "%s; there is no viewer for sbx view, but --web and --screenshot", server)
	}
	return ok("%s, %s", server, viewer)
}
