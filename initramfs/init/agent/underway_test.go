package agent

import (
	"sync"
	"testing"
)

// Requests end and begin while their end is waited for.
func TestUnderway(t *testing.T) {
	var u underway
	<-u.none()
	u.begin()
	u.begin()
	first := u.none()
	u.end()
	select {
	case <-first:
		t.Error("one is left, and none is said to be")
	default:
	}
	u.end()
	u.begin()
	<-first // there was a moment without
	select {
	case <-u.none():
		t.Error("another has begun, and none is said to be left")
	default:
	}
	u.end()

	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				u.begin()
				u.end()
				<-u.none()
			}
		})
	}
	all.Wait()
	<-u.none()
}
