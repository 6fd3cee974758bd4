// Package identity derives what a sandbox and its parts are called on a host, and the
// ids that they have there, from names alone: the same on every machine, so that
// nothing must be remembered.
package identity

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"

	"github.com/google/uuid"

	"github.com/sbx-dev/sbx/schema"
)

// uuidSpace is the namespace of every UUID that sbx derives (RFC 9562, version 5).
var uuidSpace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/sbx-dev/sbx"))

// UUID is the UUID of the named libvirt object: kind is "domain", "filter" or
// "network". libvirt refuses to redefine a name under another UUID, so it must
// be the same each time.
func UUID(kind, name string) string {
	return uuid.NewSHA1(uuidSpace, []byte(kind+"/"+name)).String()
}

// Hash gives bytes that depend on all of words and on nothing else.
func Hash(words ...string) []byte {
	h := sha256.New()
	for _, w := range words {
		// The length keeps ("ab", "c") and ("a", "bc") apart.
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(w)))
		h.Write(size[:])
		h.Write([]byte(w))
	}
	return h.Sum(nil)
}

// MAC is the address of a sandbox's interface: locally administered,
// unicast, and not in the fe: range that libvirt gives to the host's end.
func MAC(sandbox, key string) net.HardwareAddr {
	mac := net.HardwareAddr(Hash("mac", sandbox, key)[:6])
	mac[0] = 0x02
	return mac
}

// Device is the host's end of a sandbox's interface. It must be set for a
// filter to bind, holds at most 15 characters (IFNAMSIZ less the NUL), and must
// not start with "vnet", which libvirt keeps for itself.
func Device(sandbox, key string) string {
	return "sbx" + hex.EncodeToString(Hash("device", sandbox, key))[:12]
}

// Bridge is the bridge of a network that a profile owns.
func Bridge(network string) string {
	return "sbxbr" + hex.EncodeToString(Hash("bridge", network))[:10]
}

// Filter is the nwfilter of an interface; key is empty for the only one. No
// sandbox's name holds a full stop, so that no two sandboxes share a filter.
func Filter(sandbox, key string) string {
	if key == "" {
		return "sbx-" + sandbox
	}
	return "sbx-" + sandbox + "." + key
}

// The host ids that a sandbox's own ids stand for come from this range, the one
// that systemd-nspawn --private-users=pick draws from: above the ids that
// distributions give to people, services and /etc/subuid.
const (
	IDCount = 1 << 16                // ids that a sandbox has
	IDFirst = 0x00080000             // the lowest of all
	IDLast  = 0x6fff0000 + 1<<16 - 1 // the highest
)

// IDBase is the first host id of the named sandbox: a multiple of IDCount,
// derived from the name alone. Two names may meet; the runtime refuses that
// when it applies the second.
func IDBase(sandbox string) uint32 {
	slots := uint64((IDLast + 1 - IDFirst) / IDCount)
	pick := binary.BigEndian.Uint64(Hash("ids", sandbox)[:8]) % slots
	return IDFirst + uint32(pick)*IDCount
}

// SocketIDs is the first of the host's ids by which a folder of the named sandbox's
// sockets is on the disk: both ends of a socket see them as their own, the first as root.
// Two names may meet, which opens nothing: nobody comes at the folder but who is shown it.
func SocketIDs(server string) uint32 { return IDBase("sockets of " + server) } // no name has a space

// The host ids of the processes beside sandboxes, one a sandbox, come from this range,
// which systemd's list of users, groups, UIDs and GIDs leaves unused.
const (
	HelperFirst = 0x70000000
	HelperLast  = 0x7fffffff
)

// HelperID is the user and the group, on the host, of the processes beside the named
// sandbox: those that keep its log, share its channel and pass on what comes to its
// published ports. Nothing else has it, the sandbox least of all. Two names may meet;
// the runtime refuses that when it applies the second.
func HelperID(sandbox string) uint32 {
	return HelperFirst + binary.BigEndian.Uint32(Hash("helper", sandbox)[:4])%(HelperLast+1-HelperFirst)
}

// Categories are the two of SELinux's that the named sandbox has, as "c12,c345": who
// has them comes at what it has made, now and after it has started again. Two names may
// meet; ids keep them apart all the same.
func Categories(sandbox string) string {
	const all = 1024 // c0.c1023, as Debian's and Fedora's policies have them
	h := Hash("categories", sandbox)
	low, high := binary.BigEndian.Uint32(h[:4])%all, binary.BigEndian.Uint32(h[4:8])%(all-1)
	if high >= low {
		high++
	} else {
		low, high = high, low
	}
	return fmt.Sprintf("c%d,c%d", low, high)
}

// HostID is the host's id for an id inside the profile's sandbox.
func HostID(p *schema.Profile, id uint32) uint32 {
	switch {
	case !p.Users.Namespace:
		return id
	case p.Users.Base != 0:
		return p.Users.Base + id
	}
	return IDBase(p.Name) + id
}
