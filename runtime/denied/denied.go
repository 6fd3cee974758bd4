// Package denied tells which packets the inner walls of a sandbox have dropped, and by
// which smallest rule each would pass. It takes nothing by itself. runtime.Denied asks it.
package denied

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/identity"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/denied"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/droplog"
	"github.com/sbx-dev/sbx/runtime/internal/guard"
	"github.com/sbx-dev/sbx/runtime/internal/innerwall"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/schema"
)

// Report is what is known of what was dropped.
type Report struct {
	Name   string   `json:"name"`
	Walls  []Wall   `json:"walls"`  // those that there are now
	Denied []Packet `json:"denied"` // the latest last
	Mended []Mend   `json:"mended"` // what others have done to the walls, and what became of it

	// Untold is why what is dropped now is counted and not told; empty where it is told.
	Untold    string `json:"untold,omitempty"`
	Forgotten uint64 `json:"forgotten"` // kinds of packets that had to make room for others
	Missed    uint64 `json:"missed"`    // packets that were told, and nobody read in time
}

// Wall is the inner wall of one interface.
type Wall struct {
	Wall string `json:"wall"` // the table of nftables
	List string `json:"list"` // its allow-list in the profile: "network.allow"
	In   uint64 `json:"in"`   // packets dropped since it was loaded
	Out  uint64 `json:"out"`
}

// Mend is what the guard of inner walls has done about one that others have removed or
// changed.
type Mend struct {
	Wall  string    `json:"wall"`
	Times uint64    `json:"times"`
	Last  time.Time `json:"last,omitzero"`
	Found string    `json:"found,omitempty"` // what there was, the last time: "absent" or "changed"
	Why   string    `json:"why,omitempty"`   // why it is not mended now, or not at once
}

// Packet is one kind of packet that was dropped. What of it there is depends on what it
// is: a frame that is not IP has no addresses.
type Packet struct {
	Wall  string    `json:"wall"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Count uint64    `json:"count"` // of those that were told

	Direction string     `json:"direction"` // "in" or "out"
	Protocol  string     `json:"protocol"`  // "tcp", "udp", "sctp", "icmp", "icmpv6", "arp", or a number as in "protocol 47" and "ethertype 0x8100"
	From      netip.Addr `json:"from,omitzero"`
	FromPort  uint16     `json:"fromPort,omitempty"` // of the latest
	To        netip.Addr `json:"to,omitzero"`
	ToPort    uint16     `json:"toPort,omitempty"`
	Type      *uint8     `json:"type,omitempty"` // of ICMP
	Code      *uint8     `json:"code,omitempty"`

	List   string `json:"list"`             // of the profile, that would get the rule
	Rule   string `json:"rule,omitempty"`   // the smallest that lets it pass, as CUE; empty where none does
	Why    string `json:"why,omitempty"`    // why there is none, or what else to know of it
	Passes bool   `json:"passes,omitempty"` // by now: the wall has such a rule since
}

// Sandbox is whom to tell of.
type Sandbox struct {
	Name  string
	Walls []string           // of its interfaces, as libvirt's metadata notes them
	Told  *manifest.Manifest // what its first process was told: of the same interfaces; nil where that is not known
	Dir   string             // of its files
}

// Look looks at the counters, and at the log that the sandbox's keeper has written.
func Look(s Sandbox) (*Report, error) {
	if len(s.Walls) == 0 {
		return nil, fmt.Errorf("%s has no network, so that there is nothing to drop", s.Name)
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("what is dropped the kernel tells root alone: run sbx denied as root")
	}
	if err := innerwall.Able(); err != nil {
		return nil, fmt.Errorf("%s: what is dropped cannot be seen here: libvirt's filter tells nothing, and for the inner wall, which does, this kernel is not enough: %w; sbx explain says what becomes of a packet, and sbx learn watches a command and who tries to reach it", s.Name, err)
	}
	r := &Report{Name: s.Name, Walls: []Wall{}, Denied: []Packet{}, Mended: []Mend{}}
	held, guards := map[string]*innerwall.Held{}, guard.Of(state.Folder(filepath.Dir(s.Dir)))
	for _, name := range s.Walls {
		counts, sets, err := innerwall.Dropped(name)
		if err != nil {
			return nil, err
		}
		if held[name] = sets; counts != nil {
			r.Walls = append(r.Walls, Wall{name, list(s.Name, name), counts.In, counts.Out})
		}
		note, err := guards.Note(name)
		if err != nil {
			return nil, err
		}
		if note != nil {
			r.Mended = append(r.Mended, Mend{name, note.Mended, note.Last, note.Found, why(note)})
		}
	}
	log, err := droplog.Read(filepath.Join(s.Dir, state.Log))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: its log of what was dropped cannot be read: %w", s.Name, err)
	}
	r.Untold = untold(r.Walls, log, keep.HasKeeper(s.Dir))
	if log == nil {
		return r, nil
	}
	r.Forgotten, r.Missed = log.Forgotten, log.Missed
	for _, e := range log.Entries {
		if i := slices.Index(s.Walls, e.Wall); i >= 0 { // its keeper writes what it likes
			r.Denied = append(r.Denied, tell(e, list(s.Name, e.Wall), nic(s, i), held[e.Wall]))
		}
	}
	slices.SortStableFunc(r.Denied, func(a, b Packet) int { return a.Last.Compare(b.Last) })
	return r, nil
}

// why is what a note says of now.
func why(n *guard.Note) string {
	switch {
	case n.Failed != "":
		return n.Failed
	case n.Pause != "":
		return "somebody removes or changes it again and again, so that sbx waits " + n.Pause + " in between"
	}
	return ""
}

// untold is why what is dropped is not told.
func untold(walls []Wall, log *denied.Log, kept bool) string {
	switch {
	case len(walls) == 0:
		return "there is no inner wall now, and libvirt's filter tells nothing: it has too many rules for one, or somebody has removed it, which sbx drift says"
	case log == nil:
		return "nobody keeps a log of it: what sbx run and an older sbx have started has no process that does, and sbx restart starts one"
	case !log.Hears:
		return "somebody else listened already to the kernel's log of it when it was started, such as ulogd: end that, and start it anew"
	case !kept:
		return "nobody listens: it does not run, or its keeper has ended, of which sbx up starts another one"
	}
	return ""
}

// list is the path of an interface's allow-list in the profile.
func list(sandbox, wall string) string {
	key, several := strings.CutPrefix(wall, identity.Filter(sandbox, "")+".")
	if !several {
		return "network.allow"
	}
	return schema.Field("networks", key) + ".allow"
}

// nic is the interface behind a wall.
func nic(s Sandbox, n int) (i firewall.Interface) {
	i.Filter = s.Walls[n]
	if s.Told == nil || n >= len(s.Told.Interfaces) {
		return i
	}
	told := s.Told.Interfaces[n]
	i.DHCP = told.DHCP
	i.MAC, _ = net.ParseMAC(told.MAC)
	for _, text := range told.Addresses {
		if p, err := netip.ParsePrefix(text); err == nil {
			i.Addresses = append(i.Addresses, p.Addr())
		}
	}
	return i
}
