package tracer

import "time"

// Who is watched may have what the tracer does for it take for ever: memory that
// userfaultfd(2) fills in is read when that has said what stands there, and the last
// descriptor of a socket is closed as slowly as SO_LINGER says. So both are waited for no
// longer than heldTime, and as soon as maxHeld are held up, no more are begun.
const (
	heldTime = 2 * time.Second
	maxHeld  = 16
)

// helpers do what who is watched may hold up.
type helpers chan struct{}

// within has somebody else do it, and says whether it was done in time. What was not may
// go on for ever: it touches nothing of the caller's.
func (h helpers) within(do func()) bool {
	select {
	case h <- struct{}{}:
	default:
		return false
	}
	done := make(chan struct{})
	go func() {
		do()
		<-h // before anybody goes on, and begins another
		close(done)
	}()
	limit := time.NewTimer(heldTime)
	defer limit.Stop()
	select {
	case <-done:
		return true
	case <-limit.C:
		return false
	}
}
