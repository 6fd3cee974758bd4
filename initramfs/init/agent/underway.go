package agent

import "sync"

// underway counts requests that are being answered. Others may begin while the end of all
// is waited for, which a sync.WaitGroup takes for a mistake, and panics.
type underway struct {
	mu    sync.Mutex
	count int
	ended chan struct{} // closed when none is left; nil where nobody waits
}

func (u *underway) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.count++
}

func (u *underway) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.count--
	if u.count == 0 && u.ended != nil {
		close(u.ended)
		u.ended = nil
	}
}

// none is closed once there was a moment in which none was left.
func (u *underway) none() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.count == 0 {
		return closed
	}
	if u.ended == nil {
		u.ended = make(chan struct{})
	}
	return u.ended
}
