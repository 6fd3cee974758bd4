// Package review compares two versions of a profile by what they mean: which
// packets, host paths, capabilities and so on one lets a sandbox have and the
// other does not. Two texts that mean the same are equivalent, however much they
// differ.
package review

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Dimension is one kind of thing that a profile opens.
type Dimension string

// The dimensions, in the order in which they are reported.
const (
	Identity     Dimension = "name"         // what it is called: host ids, MAC addresses and folders follow from that
	Ingress      Dimension = "ingress"      // packets that open conversations with the sandbox
	Egress       Dimension = "egress"       // packets with which the sandbox opens conversations
	Network      Dimension = "network"      // where it is attached, and its addresses
	Reads        Dimension = "reads"        // host paths that it can read
	Writes       Dimension = "writes"       // host paths that it can write
	Secrets      Dimension = "secrets"      // secrets that it is handed
	Devices      Dimension = "devices"      // disk images, the host's sockets, devices and figures
	Sockets      Dimension = "sockets"      // sockets between it and other sandboxes
	Display      Dimension = "display"      // a screen, and which way copied text passes
	Capabilities Dimension = "capabilities" // of root inside, and of the run's user
	Syscalls     Dimension = "syscalls"     // of everything inside, besides those that are open to everyone
	Sysctls      Dimension = "sysctls"      // settings of the kernel that it has for itself
	Users        Dimension = "users"        // which ids of the host it has
	Machine      Dimension = "machine"      // the kind of wall
	Resources    Dimension = "resources"    // what it may consume
	Command      Dimension = "command"      // what runs, and how
	Files        Dimension = "files"        // what stands at a path inside, other than host paths
)

var order = []Dimension{Identity, Ingress, Egress, Network, Reads, Writes, Secrets, Devices, Sockets, Display, Capabilities, Syscalls, Sysctls, Users, Machine, Resources, Command, Files}

// Verdict is what a change does to the walls as a whole.
type Verdict string

// The verdicts. What cannot be ordered, such as another command, counts as
// something added and something removed.
const (
	Equivalent   Verdict = "equivalent"
	Narrowed     Verdict = "narrowed"
	Widened      Verdict = "widened"
	Incomparable Verdict = "incomparable" // wider in something and narrower in something else
)

// Change is one thing that only one version opens.
type Change struct {
	Name      string    `json:"name"` // PROFILE/DIMENSION/WHAT, as --allow takes it
	Dimension Dimension `json:"dimension"`
	Added     bool      `json:"added"` // only the new version opens it; else only the old
	What      string    `json:"what"`
	Witness   string    `json:"witness,omitempty"` // a packet or path that one version lets through and the other does not
	Pos       diag.Pos  `json:"pos"`               // the line that opens it, of the version that does
	Path      string    `json:"path,omitempty"`    // the same as a place in the profile
	Allowed   bool      `json:"allowed,omitempty"` // a widening that --allow names

	unordered bool // both versions have something of the kind, and neither is more
}

// opens says whether the change counts as something more: that a variable or a
// probe is gone makes another command, too.
func (c Change) opens() bool { return c.Added || c.unordered }

// closes says whether it counts as something less.
func (c Change) closes() bool { return !c.Added || c.unordered }

// Report is the comparison of one profile's versions.
type Report struct {
	Profile string   `json:"profile"`
	Verdict Verdict  `json:"verdict"`
	Text    bool     `json:"textChanged"` // the file's text differs
	New     bool     `json:"new,omitempty"`
	Gone    bool     `json:"gone,omitempty"`
	Changes []Change `json:"changes"`
}

// Version is a profile as it was or is, among the sandboxes whose names its
// rules may speak of. A nil Profile is one that does not exist.
type Version struct {
	Profile *schema.Profile
	Peers   map[string][]netip.Addr
}

// Compare compares two versions, of which one may not exist. Its errors are
// those of compiling their firewalls.
func Compare(before, after Version) (*Report, error) {
	r := &Report{New: before.Profile == nil, Gone: after.Profile == nil, Changes: []Change{}}
	if r.New && r.Gone {
		return &Report{Verdict: Equivalent, Changes: []Change{}}, nil
	}
	named := cmp.Or(after.Profile, before.Profile)
	r.Profile = named.Name
	c := &comparer{report: r, old: orNothing(before.Profile), new: orNothing(after.Profile)}
	if err := c.network(before, after); err != nil {
		return nil, err
	}
	c.hostPaths()
	c.items()
	c.amounts()
	if !r.New && !r.Gone {
		c.identity()
	}
	slices.SortStableFunc(r.Changes, func(a, b Change) int {
		return cmp.Compare(slices.Index(order, a.Dimension), slices.Index(order, b.Dimension))
	})
	r.Verdict = verdict(r.Changes)
	return r, nil
}

// orNothing is p, or a profile that opens nothing.
func orNothing(p *schema.Profile) *schema.Profile {
	if p == nil {
		return &schema.Profile{Users: schema.Users{Namespace: true}, Source: nowhere{}}
	}
	return p
}

type nowhere struct{}

func (nowhere) Pos(string) diag.Pos            { return diag.Pos{} }
func (nowhere) Origin(string) (diag.Pos, bool) { return diag.Pos{}, false }

func verdict(changes []Change) Verdict {
	var added, removed bool
	for _, c := range changes {
		added, removed = added || c.opens(), removed || c.closes()
	}
	switch {
	case added && removed:
		return Incomparable
	case added:
		return Widened
	case removed:
		return Narrowed
	}
	return Equivalent
}

type comparer struct {
	report   *Report
	old, new *schema.Profile
}

// add reports something that one version opens, with its place there.
func (c *comparer) add(d Dimension, added bool, what, witness, path string) {
	p := c.old
	if added {
		p = c.new
	}
	c.report.Changes = append(c.report.Changes, Change{
		Name:      strings.Join([]string{c.report.Profile, string(d), what}, "/"),
		Dimension: d, Added: added, What: what, Witness: witness, Path: path, Pos: p.Source.Pos(path), unordered: (d == Command || d == Sysctls) && !c.report.New && !c.report.Gone})
}

// Allow marks the widenings that the names accept: PROFILE, DIMENSION,
// PROFILE/DIMENSION, or a change's whole name, with or without its profile.
func (r *Report) Allow(names []string) {
	for i := range r.Changes {
		c := &r.Changes[i]
		for _, name := range names {
			switch name {
			case r.Profile, string(c.Dimension), r.Profile + "/" + string(c.Dimension), c.Name, strings.TrimPrefix(c.Name, r.Profile+"/"):
				c.Allowed = c.opens()
			}
		}
	}
}

// Widenings are the changes that open something and are not allowed.
func (r *Report) Widenings() (out []Change) {
	for _, c := range r.Changes {
		if c.opens() && !c.Allowed {
			out = append(out, c)
		}
	}
	return out
}

// Diagnostics are the widenings that are not allowed, as warnings.
func (r *Report) Diagnostics() (out diag.List) {
	for _, c := range r.Widenings() {
		message := r.Profile + ": this opens " + string(c.Dimension) + ": " + c.What
		if !c.Added {
			message = r.Profile + ": this changes the " + string(c.Dimension) + ", which had: " + c.What
		}
		if c.Witness != "" {
			message += ", for example " + c.Witness
		}
		out = append(out, &diag.Diagnostic{Pos: c.Pos, Severity: diag.Warning, Code: diag.Widened, Path: c.Path,
			Message: message, Help: "sbx review --allow '" + c.Name + "' accepts it"})
	}
	return out
}
