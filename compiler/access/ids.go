package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/schema"
)

// ids is what the kernel says by whose the path is, to root inside: of the host's paths
// the host knows that.
func (q *question) ids() (Answer, error) {
	a := Answer{Wall: IDs, Verdict: Host}
	switch {
	case q.device >= 0:
		a.Verdict, a.Why = Allows, "sbx lets everyone inside use it"
	case q.inMachine():
		a.Verdict, a.Why = Allows, "the machine's own memory has the machine's own ids"
	case q.profile.Backend.BootsKernel():
		a.Why = fmt.Sprintf("QEMU opens it on the host, whoever asks inside, as the user whom libvirt gives it, and may %s what that one may", q.onHost())
	case !q.profile.Users.Namespace:
		a.Verdict, a.Why, a.Place = Allows, "root inside is root on the host", "users.namespace"
	case q.mount != nil && q.mount.Kind == manifest.Socket:
		a.Why = "both sandboxes see each other's users by their numbers, and the socket's owner and mode decide"
	case q.folder, q.mount != nil && q.source == "":
		a.Verdict, a.Why = Allows, "it belongs to the sandbox"
	default:
		q.byHost(&a)
	}
	return a, nil
}

// byHost is the answer for a path of the host in a user namespace.
func (q *question) byHost(a *Answer) {
	a.Why = fmt.Sprintf("root inside is %d on the host, and may %s what everyone may there, and what belongs to the sandbox's ids", compiler.HostID(q.profile, 0), q.Way)
	if q.mount == nil || len(q.mount.IDs) == 0 {
		return
	}
	a.Place = schema.Field("mounts", q.mount.Target) + ".ids"
	if slices.Contains(q.mount.IDs, manifest.AllIDs) {
		a.Verdict, a.Why = Allows, "in this folder every id is the host's, and root inside is root"
		return
	}
	a.Why += "; in this folder the host's " + strings.Join(q.mount.IDs, ", ") + " is itself"
}
