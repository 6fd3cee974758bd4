package service

import (
	"testing"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/notify"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// What a command says of its state together with that it is ready is shown before
// anybody who waits for that goes on.
func TestWordsComeBeforeReadiness(t *testing.T) {
	board := NewBoard(channel.Starting)
	s := New(nil, proc.Spec{}, manifest.Run{}, 0, NewLog(), board)
	s.newNotices()
	board.mu.Lock() // nothing can be shown
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		s.hear(notify.Notice{Ready: true, Word: notify.Ready, Text: "serving", Says: true})
	}()
	limit := time.Now().Add(5 * time.Minute)
	for begun := false; !begun; time.Sleep(time.Millisecond) { // all that is left is to show it, and to say that it is ready
		s.notices.mu.Lock()
		begun = s.notices.text == "serving"
		s.notices.mu.Unlock()
		if !begun && time.Now().After(limit) {
			t.Fatal("what it says is not heard")
		}
	}
	if s.awaitNotice(t.Context(), 100*time.Millisecond) == nil {
		t.Error("who waits for the command goes on, and its words are not shown")
	}
	board.mu.Unlock()
	<-heard
	if err := s.awaitNotice(t.Context(), time.Minute); err != nil {
		t.Error(err)
	}
	if now, _ := board.Status(); now.Text != "serving" {
		t.Errorf("%+v", now)
	}
}
