// Package tigervnc is what TigerVNC's programs are called, and how they are told what to
// do: its X server, which draws the screens of sandboxes, and its viewer.
package tigervnc

// Servers are the X servers that serve viewers, by preference, where they stand. Both
// take the same flags.
var Servers = []string{"/usr/bin/Xtigervnc", "/usr/bin/Xvnc"}

// Viewers are the names of the viewer, which takes a unix socket's path.
var Viewers = []string{"xtigervncviewer", "vncviewer"}

// Flag switches a parameter of a server or a viewer on or off (Xvnc(1), vncviewer(1)).
func Flag(name string, on bool) string {
	if on {
		return "-" + name + "=1"
	}
	return "-" + name + "=0"
}
