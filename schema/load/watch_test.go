package load

import (
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/schema/diag"
)

// take takes n MiB of memory, one after the other.
func take(n int) {
	for i := range n {
		sink := make([]byte, (1<<20)+i) // of no constant size, so that it is on the heap
		clear(sink)
	}
}

// spin takes as much processor time as compiling the schema does n times, and
// hardly any memory.
func spin(n int) {
	used, limit := cpuClock(), time.Duration(n)*pace()
	for used() < limit {
	}
}

// watched is what becomes of an evaluation in small bounds.
func watched(w watch, evaluate func()) (list diag.List, stopped bool) {
	r, stopped := w.evaluate(diag.Pos{}, func() result { evaluate(); return result{} })
	return r.list, stopped
}

// An evaluation is stopped by the memory that it takes, given back or not.
func TestWatchCountsWork(t *testing.T) {
	w := usual
	w.work = 64 << 20
	if list, stopped := watched(w, func() { take(32); time.Sleep(20 * time.Millisecond) }); stopped {
		t.Error(list)
	}
	list, stopped := watched(w, func() { take(200); time.Sleep(time.Second) })
	if !stopped || !strings.Contains(list[0].Message, "64 MiB of memory in all") {
		t.Error(stopped, list)
	}
}

// Evaluations side by side have a share each: a machine of many processors
// evaluates as much as one of few.
func TestWatchSharesWork(t *testing.T) {
	w := usual
	w.work = 64 << 20
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
	w.time, w.paces = time.Millisecond, 20
	if list, stopped := watched(w, func() { spin(4) }); stopped {
		t.Error(list)
	}
	list, stopped := watched(w, func() { spin(200) })
	if !stopped || !strings.Contains(list[0].Message, "of a processor") || !strings.Contains(list[0].Help, "this machine") {
		t.Error(stopped, list)
	}
}

// A few lines may have CUE take any amount of memory, one after the other, within
// what weigh lets pass. The work ends it at the same place on every machine.
func TestHostileWork(t *testing.T) {
	t.Cleanup(settle)
	text := "package p\n\nimport \"list\"\n\na: list.Range(0, 1300, 1)\nb: [for x in a if list.Contains(a, -x-1) {x}]\n"
	_, err := (&Config{Stdin: strings.NewReader(text)}).Load("-")
	list, ok := diag.From(err)
	if !ok || list[0].Code != diag.TooMuch || !strings.Contains(list[0].Message, "1024 MiB of memory in all") {
		t.Error(err)
	}
}

// settle waits for what an evaluation that was left behind yet takes, which would
// count as the next test's.
func settle() {
	for before := taken() - 1<<20; taken() > before+1<<16; time.Sleep(50 * time.Millisecond) {
		before = taken()
	}
}
