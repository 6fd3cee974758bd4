// Package innerwall has the kernel hold the inner walls of sandboxes: for each
// interface a table of nftables in the family bridge, as the compiler has written and
// proven it. A table is loaded in one transaction of netlink, so that no packet meets
// half of it, and without a program: nft would have to be installed, and takes longer
// to start than the kernel takes for the table.
//
// What is loaded is the compiler's table, field by field and rule by rule. Added are
// a count of what is dropped, and a log of that which is bounded in what it may cost.
package innerwall

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	compiled "github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/runtime/internal/nferr"
)

// transactionSize is how much of a transaction the kernel may have to hold at once, in
// bytes, and of its answers: an element of a set is some hundred.
const transactionSize = 32 << 20

// dial is nftables.New but in tests.
var dial = nftables.New

// connect opens a connection of nftables in this network namespace.
func connect() (*nftables.Conn, error) {
	return dial(nftables.AsLasting(), nftables.WithSockOptions(
		func(c *netlink.Conn) error { return grow(c, unix.SO_SNDBUFFORCE) },
		func(c *netlink.Conn) error { return grow(c, unix.SO_RCVBUFFORCE) },
	))
}

// isAbsent says whether there is no such table, or can be none.
func isAbsent(err error) bool { return nferr.Is(err, unix.ENOENT) || nferr.IsUnable(err) }

// grow makes room in one of a socket's buffers, beyond what the host lets users have.
func grow(c *netlink.Conn, buffer int) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, buffer, transactionSize) })
	return errors.Join(err, failed)
}

// Load makes the kernel's table of that name the compiled one, whatever there is of
// it. Where only elements of its sets differ, only those change: then no packet is
// lost either, while a table that is replaced drops some that it would let pass. Where
// too many would have to go, it is replaced all the same. Able is to have been asked.
func Load(t *compiled.Table) error {
	_, err := Mend(t)
	return err
}

// Mend is Load, and says what there was that it has replaced: Absent, Changed, or nothing
// where the compiled table was in force.
func Mend(t *compiled.Table) (was string, err error) {
	want, err := convert(t)
	if err != nil {
		return "", fmt.Errorf("the inner wall %s: %w", t.Name, err)
	}
	conn, err := connect()
	if err == nil {
		defer conn.CloseLasting()
		was, err = load(conn, want)
	}
	if err != nil {
		return was, fmt.Errorf("the kernel does not take the inner wall %s, a table of nftables: %w", t.Name, err)
	}
	return was, nil
}

// tries is how often a look, and a transaction, is begun anew where another one came in
// between.
const tries = 10

func load(conn *nftables.Conn, want *table) (was string, err error) {
	for n := 1; ; n++ {
		have, err := read(conn, want.name)
		if err == nil && have.same(want) {
			return "", nil
		}
		if err == nil || !meanwhile(err) { // what others made of it cannot even be read: it is replaced
			if was = Changed; err == nil && have == nil {
				was = Absent
			}
			if err = change(conn, have, want); err == nil {
				return was, nil
			}
		}
		if n == tries || !meanwhile(err) {
			return was, err
		}
	}
}

// meanwhile says whether a failure may be another's doing, who changed the table while
// it was looked at.
func meanwhile(err error) bool {
	return nferr.Is(err, unix.ENOENT, unix.EEXIST, unix.EBUSY, unix.EINTR, unix.EAGAIN)
}

// change turns one table into the other, in one transaction.
func change(conn *nftables.Conn, have, want *table) error {
	var err error
	if have != nil && have.sameForm(want) && !costly(have, want) {
		err = changeElements(conn, have, want)
	} else {
		err = replace(conn, want)
	}
	if err != nil { // a part of it must not reach the kernel: a table without its rules lets all pass
		return err
	}
	return conn.Flush()
}

// replace has the table be the wanted one, and nothing of an earlier one.
func replace(conn *nftables.Conn, want *table) error {
	t := want.kernel()
	conn.AddTable(t) // so that there is one to delete
	conn.DelTable(t)
	conn.AddTable(t)
	for _, s := range want.sets {
		if err := conn.AddSet(s.kernel(t), nil); err != nil {
			return err
		}
	}
	for _, c := range want.chains {
		conn.AddChain(c.kernel(t)) // all of them, before rules lead to any
	}
	for _, c := range want.chains {
		for _, r := range c.rules {
			conn.AddRule(&nftables.Rule{Table: t, Chain: c.kernel(t), Exprs: r})
		}
	}
	// Last: where a rule fails, there are none yet that the kernel has to take out again.
	for _, s := range want.sets {
		if err := inPieces(s.elements, s.kernel(t), conn.SetAddElements); err != nil {
			return err
		}
	}
	return nil
}

// mostLooks bounds how many elements the kernel looks at to take some out of a set:
// for each of them, as many as there are. A hundred thousand take it about as long as
// to load 4,000 anew (2 to 3 seconds, Debian 12's kernel, emulated).
const mostLooks = 100_000

// costly says whether the kernel takes longer to take the elements out that are too
// many than to have a new table with the others.
func costly(have, want *table) bool {
	looks := 0
	for n, s := range want.sets {
		old := have.sets[n].elements
		looks += len(missing(old, s.elements)) * len(old)
	}
	return looks > mostLooks
}

func changeElements(conn *nftables.Conn, have, want *table) error {
	t := want.kernel()
	for n, s := range want.sets {
		k := s.kernel(t)
		if err := inPieces(missing(have.sets[n].elements, s.elements), k, conn.SetDeleteElements); err != nil {
			return err
		}
		if err := inPieces(missing(s.elements, have.sets[n].elements), k, conn.SetAddElements); err != nil {
			return err
		}
	}
	return nil
}

// piece is how many elements one message holds: a list of them is an attribute of
// netlink, which has 64 KiB at most, and an element of IPv6 takes some 80 bytes.
const piece = 500

func inPieces(list []element, s *nftables.Set, do func(*nftables.Set, []nftables.SetElement) error) error {
	for part := range slices.Chunk(list, piece) {
		if err := do(s, kernelElements(part)); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes the named table, if it is there.
func Remove(name string) error {
	conn, err := connect()
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the inner wall %s: %w", name, err)
	}
	defer conn.CloseLasting()
	t := &nftables.Table{Name: name, Family: nftables.TableFamilyBridge}
	conn.DelTable(t)
	if err := conn.Flush(); err != nil && !isAbsent(err) {
		return fmt.Errorf("cannot remove the inner wall %s, a table of nftables: %w", name, err)
	}
	return nil
}

// Names are the names of all tables in the family bridge, whoever made them.
func Names() (names []string, err error) {
	conn, err := connect()
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("inner walls: %w", err)
	}
	defer conn.CloseLasting()
	all, err := conn.ListTablesOfFamily(nftables.TableFamilyBridge)
	if err != nil && !isAbsent(err) {
		return nil, fmt.Errorf("inner walls cannot be listed: %w", err)
	}
	for _, t := range all {
		names = append(names, t.Name)
	}
	return names, nil
}
