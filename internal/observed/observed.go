// Package observed is what a sandbox was seen to do while somebody watched: which paths
// its programs asked for, whom they spoke with, which system calls were refused. It is
// what a watcher hands to whoever draws conclusions from it (compiler/learn).
package observed

import (
	"cmp"
	"net/netip"
	"slices"
)

// Record is all that was seen. Each thing stands in it once, however often it happened.
type Record struct {
	Paths   []Path   `json:"paths,omitempty"`
	Sockets []Socket `json:"sockets,omitempty"`
	Calls   []Call   `json:"calls,omitempty"`
	Packets []Packet `json:"packets,omitempty"`

	// Lost is how many sightings there were beyond what a record holds: what is not in
	// it may have happened all the same then.
	Lost int `json:"lost,omitempty"`
}

// Path is one that a program has named to the kernel.
type Path struct {
	Program string `json:"program"`         // the process's name, as in proc_pid_comm(5)
	Call    string `json:"call"`            // the system call
	Path    string `json:"path"`            // inside, absolute and without "." and ".."
	Write   bool   `json:"write,omitempty"` // to change it, or to make it
	Error   string `json:"error,omitempty"` // the kernel's, such as "ENOENT"; empty: it worked
}

// Socket is an address that a program listens at or has sent to, on the network.
type Socket struct {
	Program string         `json:"program"`
	Call    string         `json:"call"`
	Listens bool           `json:"listens,omitempty"` // at its own address; otherwise it sends to another one
	Proto   string         `json:"proto"`             // "tcp" or "udp"
	Addr    netip.AddrPort `json:"addr"`
}

// Call is a system call of which a watcher draws more than a path or an address: one that
// was refused, one that takes a capability, or one that is closed to every sandbox that does
// not say otherwise.
type Call struct {
	Program string    `json:"program"`
	Name    string    `json:"name"`
	Args    [6]uint64 `json:"args"`            // of refused and of closed ones
	Port    uint16    `json:"port,omitempty"`  // of bind
	Error   string    `json:"error,omitempty"` // empty: it worked
}

// Packet is the first of a conversation that somebody outside began.
type Packet struct {
	Proto  string         `json:"proto"` // "tcp" or "udp"
	From   netip.Addr     `json:"from"`
	To     netip.AddrPort `json:"to"`
	Passed bool           `json:"passed"` // it has reached the sandbox's interface
}

// Sort puts everything into an order that depends on nothing but what was seen.
func (r *Record) Sort() {
	slices.SortFunc(r.Paths, func(a, b Path) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Error, b.Error), cmp.Compare(a.Program, b.Program), cmp.Compare(a.Call, b.Call))
	})
	slices.SortFunc(r.Sockets, func(a, b Socket) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), a.Addr.Compare(b.Addr), cmp.Compare(a.Program, b.Program), cmp.Compare(a.Call, b.Call))
	})
	slices.SortFunc(r.Calls, func(a, b Call) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Error, b.Error), cmp.Compare(a.Program, b.Program), slices.Compare(a.Args[:], b.Args[:]))
	})
	slices.SortFunc(r.Packets, func(a, b Packet) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), a.To.Compare(b.To), a.From.Compare(b.From))
	})
}
