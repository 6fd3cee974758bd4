package manifest

// Mount is something mounted on Target.
type Mount struct {
	Kind     string `json:"kind"`
	Target   string `json:"target"`
	Source   string `json:"source,omitempty"`   // the host path of an export, the image's, which figures, or that of a file whose content follows an inline one's
	Tag      string `json:"tag,omitempty"`      // names the export or the disk inside a machine
	Single   bool   `json:"single,omitempty"`   // the export holds one file, SingleFile, that is mounted; found out on the host
	Format   string `json:"format,omitempty"`   // of an image: "raw" or "qcow2"
	Size     int64  `json:"size,omitempty"`     // of a tmpfs, or of the file system in an export's file, in bytes
	Content  string `json:"content,omitempty"`  // of a file; with a Source, its beginning
	Mode     Mode   `json:"mode,omitempty"`     // of a tmpfs or file, or of a writable export that is made
	Owner    string `json:"owner,omitempty"`    // the same: the user inside; empty is root
	Writable bool   `json:"writable,omitempty"` // an export or image that is not read-only
	Sockets  bool   `json:"sockets,omitempty"`  // an export that is, or holds, sockets, FIFOs or devices that are to be used

	// From and To are of a socket: the sandbox whose it is, and where that is this one,
	// those that may connect.
	From string   `json:"from,omitempty"`
	To   []string `json:"to,omitempty"`

	// IDs are the host's users and groups that are themselves in an export: names,
	// ids, "user id:group id", or AllIDs alone.
	IDs []string `json:"ids,omitempty"`
}

// AllIDs are all ids that a sandbox has.
const AllIDs = "all"

// MaxFollowing is the most bytes of a Source that follow an inline file's content.
const MaxFollowing = 1 << 20

// The kinds of Mount.
const (
	Export = "export" // a folder or file of the host
	Tmpfs  = "tmpfs"
	Inline = "inline" // a file whose content stands in the manifest
	Image  = "image"

	// Figures are what the host's kernel counts, of which Source says which.
	Figures = "figures"

	// Socket is the folder of a unix socket between sandboxes, whose name in it is Source.
	Socket = "socket"
)

// MountKinds are all kinds of Mount: a manifest of any other is refused.
var MountKinds = []string{Export, Tmpfs, Inline, Image, Figures, Socket}

// ImageFileSystems are those that a disk image may hold, by the names of their
// kernel modules.
var ImageFileSystems = []string{"ext4", "xfs", "squashfs", "isofs"}
