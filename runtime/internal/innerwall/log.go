package innerwall

import (
	"hash/fnv"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// How much of what is dropped is told: of each kind so many packets a second, and so
// many bytes of each, which is the headers. A sandbox can have any number dropped.
const (
	toldRate = 100
	snapLen  = 128
)

// The groups of the kernel's log that walls may have; those below are what people use.
const (
	firstGroup = 1 << 10
	groups     = 1<<16 - firstGroup
)

// Group is the group of the kernel's log that tells what the named wall drops. Two
// walls may have the same; each packet carries the name of its own.
func Group(name string) uint16 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return uint16(firstGroup + h.Sum32()%groups)
}

// logging tells packets to whoever listens to the group, with the names of the table
// and the chain in front.
func logging(tableName, chainName string) []expr.Any {
	const given = 1<<unix.NFTA_LOG_GROUP | 1<<unix.NFTA_LOG_PREFIX | 1<<unix.NFTA_LOG_SNAPLEN
	return []expr.Any{
		&expr.Limit{Type: expr.LimitTypePkts, Rate: toldRate, Unit: expr.LimitTimeSecond, Burst: toldRate},
		&expr.Log{Key: given, Group: Group(tableName), Snaplen: snapLen, Data: []byte(tableName + " " + chainName)},
	}
}
