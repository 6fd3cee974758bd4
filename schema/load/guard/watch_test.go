package guard

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/schema/diag"
)

// usual has a pace of a few milliseconds.
var usual = Usual(func() { sha256.Sum256(make([]byte, 4<<20)) })

// take takes n MiB of memory, one after the other.
func take(n int) {
	for i := range n {
		sink := make([]byte, (1<<20)+i) // of no constant size, so that it is on the heap
		clear(sink)
	}
}

// spin takes as much processor time as the pace does n times, and
// hardly any memory.
func spin(n int) {
	used, limit := cpuClock(), time.Duration(n)*usual.pace()
	for used() < limit {
	}
}

// watched is what becomes of an evaluation in small bounds.
func watched(w Watch, evaluate func()) (list diag.List, stopped bool) {
	_, list, stopped = Evaluate(w, diag.Pos{}, func() bool { evaluate(); return true })
	return list, stopped
}

// An evaluation is stopped by the memory that it takes, given back or not.
func TestWatchCountsWork(t *testing.T) {
	w := usual
	w.Work = 64 << 20
	if list, stopped := watched(w, func() { take(32); time.Sleep(20 * time.Millisecond) }); stopped {
		t.Error(list)
	}
	seen := make(chan struct{})
	defer close(seen)
	list, stopped := watched(w, func() {
		take(200)
		select { // it goes on until it is stopped
		case <-seen:
		case <-time.After(2 * time.Minute):
		}
	})
	if !stopped || !strings.Contains(list[0].Message, "64 MiB of memory in all") {
		t.Error(stopped, list)
	}
}

// Evaluations side by side have a share each: a machine of many processors
// evaluates as much as one of few.
func TestWatchSharesWork(t *testing.T) {
	w := usual
	w.Work = 64 << 20
	begun := make(chan bool)
	end := make(chan bool)
	for range 7 {
		go watched(w, func() { begun <- true; <-end })
		<-begun
	}
	defer close(end)
	if list, stopped := watched(w, func() { take(200); time.Sleep(20 * time.Millisecond) }); stopped {
		t.Error(list)
	}
}

// On a machine that is slow just then an evaluation may take longer than its
// time; what takes very much longer is stopped, and the machine named as what may
// be the cause.
func TestWatchAllowsForASlowMachine(t *testing.T) {
	w := usual
	w.Time, w.Paces = time.Millisecond, 60 // how long one takes differs by as much on a busy machine
	if list, stopped := watched(w, func() { spin(4) }); stopped {
		t.Error(list)
	}
	list, stopped := watched(w, func() { spin(600) })
	if !stopped || !strings.Contains(list[0].Message, "of a processor") || !strings.Contains(list[0].Help, "this machine") {
		t.Error(stopped, list)
	}
}

// What has ended by the time that it is looked at is not refused for having taken long.
// How long it takes after its last step to be there to be seen, no step can tell: the look
// comes later and later.
func TestWatchSeesAnEndLate(t *testing.T) {
	var list diag.List
	for pause := 50 * time.Millisecond; pause < 20*time.Second; pause *= 2 {
		w, looks, ended := usual, make(chan struct{}), make(chan struct{})
		w.Time, w.Paces = time.Millisecond, 1
		w.Pace = func() { close(looks); <-ended; time.Sleep(pause) } // until then nobody looks
		var stopped bool
		if list, stopped = watched(w, func() { spin(4); <-looks; close(ended) }); !stopped {
			return
		}
	}
	t.Error(list)
}
