package display

import (
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sbx-dev/sbx/internal/splice"
)

// most is how much is kept of what the server says, in bytes.
const most = 600

// words are the last of what the server has said, which tell why it does not work.
type words struct {
	from *os.File
	done chan struct{} // closed when all is read

	mu   sync.Mutex
	text []byte
}

// hear begins to read them.
func (w *words) hear(from *os.File) {
	w.from, w.done = from, make(chan struct{})
	go func() {
		defer close(w.done)
		w.read(struct {
			io.Reader
			io.Closer
		}{splice.Left(from), from})
	}()
}

// all is the last of what a server has said that has ended: its end may be seen before
// its words are, and what it has started may hold them open.
func (w *words) all() string {
	_ = w.from.SetReadDeadline(time.Unix(1, 0)) // or all is read, and it is closed
	<-w.done
	return w.last()
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
