package denied

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Log is what is known of the packets that were dropped.
type Log struct {
	// Hears says whether somebody listens: what is dropped after that is in it.
	Hears   bool    `json:"hears"`
	Entries []Entry `json:"entries"`

	Forgotten uint64 `json:"forgotten,omitempty"` // entries that had to make room for others
	Missed    uint64 `json:"missed,omitempty"`    // packets that the kernel had told and nobody read in time
}

// Entry is one kind of packet, and how often it came.
type Entry struct {
	Packet
	Count      uint64    `json:"count"`
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
	SourcePort uint16    `json:"sourcePort,omitempty"` // of the latest
}

// Most is how many entries there are at most of each direction, so that a sandbox cannot
// have forgotten what others have tried, nor they what it has.
const Most = 500

// Add notes a packet. Of too many, that one makes room which came least often, and of
// these the oldest.
func (l *Log) Add(p Packet, sourcePort uint16, at time.Time) {
	same := -1
	least, count := -1, 0
	for i := range l.Entries {
		e := &l.Entries[i]
		if e.Packet == p {
			same = i
			break
		}
		if e.In != p.In {
			continue
		}
		if count++; least < 0 || e.before(&l.Entries[least]) {
			least = i
		}
	}
	switch {
	case same >= 0:
		e := &l.Entries[same]
		e.Count, e.Last, e.SourcePort = e.Count+1, at, sourcePort
		return
	case count >= Most:
		l.Entries = slices.Delete(l.Entries, least, least+1)
		l.Forgotten++
	}
	l.Entries = append(l.Entries, Entry{p, 1, at, at, sourcePort})
}

// before says whether an entry makes room before another one does.
func (e *Entry) before(o *Entry) bool {
	return cmp.Or(cmp.Compare(e.Count, o.Count), e.Last.Compare(o.Last)) < 0
}

// Encode writes the log as Decode reads it.
func (l *Log) Encode() ([]byte, error) { return json.Marshal(l) }

// MaxSize is more than any log takes that is encoded, in bytes.
const MaxSize = 1 << 20

// Decode reads a log, which whoever keeps it may have written otherwise than it should:
// there is no more in it than there can be, and no text but numbers, addresses and names
// of walls, which are to be compared with those that there are.
func Decode(data []byte) (*Log, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("it has %d bytes, and none has more than %d", len(data), MaxSize)
	}
	l := new(Log)
	if err := json.Unmarshal(data, l); err != nil {
		return nil, err
	}
	if len(l.Entries) > 2*Most {
		return nil, fmt.Errorf("it has %d entries, and none has more than %d", len(l.Entries), 2*Most)
	}
	for _, e := range l.Entries {
		if e.From.Zone() != "" || e.To.Zone() != "" {
			return nil, fmt.Errorf("an address in it has a zone, and no packet's has")
		}
	}
	return l, nil
}
