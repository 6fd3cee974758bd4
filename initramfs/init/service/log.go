// Package service keeps the sandbox's own command running: it starts it, finds
// out when it is ready, starts it again by its policy, and stops it.
package service

import (
	"sync"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
)

const (
	// logSize is how much memory the output takes that hosts have not fetched,
	// in bytes. The oldest is dropped first: a service never waits for its log.
	logSize = 1 << 20
	// recordSize is what a record takes besides its data, about.
	recordSize = 96
)

// Log is the latest output of the service.
type Log struct {
	mu      sync.Mutex
	records []channel.Record
	size    int
	next    uint64        // the number of the record that comes
	changed chan struct{} // closed at the next change
	ended   bool
}

// NewLog returns an empty log.
func NewLog() *Log { return &Log{changed: make(chan struct{})} }

// Add appends output of stream 1 or 2.
func (l *Log) Add(stream int, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, channel.Record{
		Number: l.next, Time: time.Now(), Stream: stream, Data: append([]byte(nil), data...),
	})
	l.next++
	l.size += recordSize + len(data)
	for l.size > logSize {
		l.size -= recordSize + len(l.records[0].Data)
		l.records[0].Data = nil
		l.records = l.records[1:]
	}
	l.wake()
}

// Coming is the number that the next record will have.
func (l *Log) Coming() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// End says that nothing more will come.
func (l *Log) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.wake()
}

func (l *Log) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Next returns the oldest record whose number is from or more. Without one, ok
// is false, and a change is to be waited for unless ended is set.
func (l *Log) Next(from uint64) (r channel.Record, ok, ended bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.records) > 0 {
		first := l.records[0].Number
		if i := max(from, first) - first; i < uint64(len(l.records)) {
			return l.records[i], true, false, nil
		}
	}
	return r, false, l.ended, l.changed
}
