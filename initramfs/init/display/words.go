package display

import (
	"io"
	"strings"
	"sync"
)

// most is how much is kept of what the server says, in bytes.
const most = 600

// words are the last of what the server has said, which tell why it does not work.
type words struct {
	mu   sync.Mutex
	text []byte
}

// read takes in all that comes, so that the server never waits for a reader.
func (w *words) read(from io.ReadCloser) {
	defer from.Close()
	buf := make([]byte, 4<<10)
	for {
		n, err := from.Read(buf)
		w.mu.Lock()
		w.text = append(w.text, buf[:n]...)
		w.text = w.text[max(0, len(w.text)-most):]
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// last is what is kept, as the end of a sentence.
func (w *words) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if text := strings.TrimSpace(string(w.text)); text != "" {
		return "; it said: " + text
	}
	return ""
}
