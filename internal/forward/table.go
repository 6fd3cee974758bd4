package forward

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// The bounds of the connections that a forwarder has open at once, for all its ports:
// each takes two sockets and, while the kernel copies between them, two pipes.
const (
	maxConnections = 4096
	filesEach      = 6
	filesOwn       = 64 // of the forwarder's own, at most
)

// connections is how many this process may have open.
func connections() (int, error) {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return 0, err
	}
	return int(min(maxConnections, (max(files.Cur, 2*filesOwn)-filesOwn)/filesEach)), nil
}

// connection is one that a port has open.
type connection struct {
	client *net.TCPConn
	source netip.Prefix
	spoken atomic.Bool // either side has said something
}

// table holds the open connections of one port to its budget, and shares that among
// the sources: one that wants more than the others leaves as much to each of them as
// it has itself. While nobody else comes, it may have all.
type table struct {
	mu     sync.Mutex
	budget int
	total  int
	source map[netip.Prefix][]*connection // the oldest first
}

func newTable(budget int) *table {
	return &table{budget: budget, source: map[netip.Prefix][]*connection{}}
}

// sourceOf is whom a connection counts for: an IPv4 address, or the network of an
// IPv6 one, out of which a single host has as many as it likes.
func sourceOf(conn *net.TCPConn) netip.Prefix {
	const network = 64
	at, _ := netip.AddrFromSlice(conn.RemoteAddr().(*net.TCPAddr).IP)
	at = at.Unmap()
	bits := at.BitLen()
	if at.Is6() {
		bits = network
	}
	prefix, _ := at.Prefix(bits) // of what is none, the same for all
	return prefix
}

// enter takes a place for a connection. Where there is none left, it takes one from
// the source that has most of them, if that has more than this one would have then:
// one over which nothing has been said, or else the oldest. It is nil where there is
// none to take.
func (t *table) enter(conn *net.TCPConn) *connection {
	c := &connection{client: conn, source: sourceOf(conn)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.total >= t.budget {
		most := t.busiest()
		if len(t.source[most]) <= len(t.source[c.source])+1 {
			return nil
		}
		out := t.source[most][0]
		for _, other := range t.source[most] {
			if !other.spoken.Load() {
				out = other
				break
			}
		}
		t.remove(out)
		reset(out.client) // whoever passes it on sees its end
	}
	t.source[c.source] = append(t.source[c.source], c)
	t.total++
	return c
}

// busiest is the source that has most connections.
func (t *table) busiest() (most netip.Prefix) {
	for source, open := range t.source {
		if len(open) > len(t.source[most]) {
			most = source
		}
	}
	return most
}

// leave gives a place back.
func (t *table) leave(c *connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(c)
}

// remove takes a connection out, if it has not been taken out already.
func (t *table) remove(c *connection) {
	open := t.source[c.source]
	for i, other := range open {
		if other != c {
			continue
		}
		t.total--
		if len(open) == 1 {
			delete(t.source, c.source)
			return
		}
		t.source[c.source] = append(open[:i:i], open[i+1:]...)
		return
	}
}
