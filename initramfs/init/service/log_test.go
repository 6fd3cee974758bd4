package service

import (
	"bytes"
	"testing"
)

func TestTheNewestOutputIsKept(t *testing.T) {
	l := NewLog()
	line := bytes.Repeat([]byte("x"), 1000)
	const lines = 5000
	for range lines {
		l.Add(1, line)
	}
	r, ok, ended, _ := l.Next(0)
	if !ok || ended || r.Number == 0 {
		t.Fatalf("got record %d, %v, %v", r.Number, ok, ended)
	}
	kept := (lines - r.Number) * (1000 + recordSize)
	if kept > logSize || kept < logSize-2*(1000+recordSize) {
		t.Errorf("%d bytes are kept", kept)
	}
	for n := r.Number; n < lines; n++ {
		if r, ok, _, _ := l.Next(n); !ok || r.Number != n {
			t.Fatalf("record %d is %d, %v", n, r.Number, ok)
		}
	}
}

func TestAFollowerIsWoken(t *testing.T) {
	l := NewLog()
	_, ok, ended, changed := l.Next(0)
	if ok || ended {
		t.Fatal("an empty log has output")
	}
	go l.Add(2, []byte("late\n"))
	<-changed
	r, ok, _, _ := l.Next(0)
	if !ok || r.Stream != 2 || string(r.Data) != "late\n" {
		t.Errorf("got %+v, %v", r, ok)
	}
	l.End()
	if _, ok, ended, _ := l.Next(r.Number + 1); ok || !ended {
		t.Error("the end does not show")
	}
}
