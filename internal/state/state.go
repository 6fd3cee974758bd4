// Package state owns the state folder: what stands where in it, whose it is and
// with which mode, for all who write, read or name something there. It holds what
// sandboxes are made of; what must be remembered of them is libvirt's.
//
// Every verb may be the first one ever run, under any umask: whoever needs a
// folder has Make make it, which gives the same modes at all times, and mends those
// that are wrong.
package state

import (
	"os"
	"path/filepath"
)

// Default is root's state folder, and the one that bundles are written for.
const Default = "/var/lib/sbx"

// What stands in the state folder beside a folder for each sandbox, whose name
// never starts with a full stop.
const (
	Claims  = ".run"     // a file for each sbx run, locked by it
	Locks   = ".lock"    // a file for each sandbox that an sbx has worked on
	Inits   = ".init"    // the versions of sbx-init in use
	Cache   = ".cache"   // unpacked kernels, initrds and saved machines
	Sockets = ".sockets" // the folders of sockets between sandboxes
	Embed   = ".embed"   // root folders of libvirt's embedded driver
	Guard   = ".guard"   // what inner walls are to be, for the process that watches them

	Profiles = ".profiles" // what profiles came to that were right: package memo
)

// What stands in the folder of the embedded driver beside its numbered roots, and
// the parts of a root that sbx makes.
const (
	EmbedCache  = "cache" // what libvirt remembers of QEMU, for all roots
	EmbedConfig = "etc"
)

// The parts of the guard's folder.
const (
	GuardLock    = "lock"    // locked by the guard; not empty while there is to be one
	GuardChanges = "changes" // locked by who changes a wall, or looks whether it stands
	Walls        = "walls"
	Notes        = "notes"
)

// The parts of a sandbox's folder.
const (
	Root       = "root"    // a container's root folder
	Stage      = "stage"   // what a sandbox sees of the host, mounted in memory
	Own        = "sbx"     // what a container sees as /.sbx
	Files      = "files"   // a container's files whose content is the profile's
	Boot       = "boot"    // a machine's kernel and initrd
	Exports    = "exports" // a folder for each single file that a machine sees
	Channel    = "channel" // the socket of its first process
	Keeper     = "keeper"  // the socket of whoever shares the channel
	KeeperLock = "keeper.lock"
	Log        = "log"
	Bundle     = "bundle.json" // what a job's runs are of
	AppArmor   = "apparmor"    // the profile that it was last confined by
	Ended      = "ended"       // how its command ended
	Forward    = "forward"     // the process that passes published ports on
)

// StageImages is where on a machine's stage its images are.
const StageImages = "images"

// Folder is the path of a state folder.
type Folder string

// Of is the state folder of the user who runs this program: root's own, or by
// the XDG Base Directory Specification one of the user's. It is empty where the
// environment names none.
func Of(uid int) Folder {
	if uid == 0 {
		return Default
	}
	if named := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(named) {
		return Folder(filepath.Join(named, "sbx"))
	}
	if home := os.Getenv("HOME"); filepath.IsAbs(home) {
		return Folder(filepath.Join(home, ".local/state/sbx"))
	}
	return ""
}

// Path is what the parts name in the folder: a sandbox's, with what is in it, or
// one of those that start with a full stop.
func (f Folder) Path(parts ...string) string {
	return filepath.Join(append([]string{string(f)}, parts...)...)
}
