// Package notify hears what a service says of itself in the protocol of sd_notify(3).
package notify

import (
	"bytes"
	"strings"
	"time"

	"github.com/sbx-dev/sbx/initramfs/init/datagram"
)

// Path is where the socket stands, and Variable how a service finds it.
const (
	Path     = "/dev/sbx-notify"
	Variable = "NOTIFY_SOCKET"
)

// pace is the least time between two notices: a service that talks without end keeps
// nobody else busy with it.
const pace = 50 * time.Millisecond

// MaxText is the most bytes of a service's words that are kept.
const MaxText = 1024

// Notice is what a service has said, in one message or in several.
type Notice struct {
	Ready bool   // READY=1 is among it
	Word  Word   // the last of its words; none where it has said none
	Text  string // STATUS=, its state for a person
	Says  bool   // it has said a Text, which may be empty
}

// Word is what a service says it does.
type Word string

// The words; what else sd_notify knows is passed over.
const (
	Ready     Word = "READY"
	Reloading Word = "RELOADING"
	Stopping  Word = "STOPPING"
)

// Socket is the one that the service speaks to.
type Socket struct{ socket *datagram.Socket }

// Listen makes the socket, which everyone inside may write to.
func Listen(path string) (*Socket, error) {
	socket, err := datagram.Listen(path)
	if err != nil {
		return nil, err
	}
	return &Socket{socket}, nil
}

// Serve calls hear with what the service says, from now on.
func (s *Socket) Serve(hear func(Notice)) {
	s.socket.Serve(pace, func(messages [][]byte) { hear(read(messages)) })
}

// Drain hands on all that has been said until now. It comes after Serve.
func (s *Socket) Drain() { s.socket.Drain() }

// read puts the messages together: of each kind the last counts.
func read(messages [][]byte) (n Notice) {
	for _, message := range messages {
		for line := range bytes.Lines(message) {
			name, value, _ := strings.Cut(strings.TrimRight(string(line), "\n"), "=")
			switch word := Word(name); {
			case name == "STATUS":
				n.Text, n.Says = value[:min(len(value), MaxText)], true
			case value == "1" && (word == Ready || word == Reloading || word == Stopping):
				n.Word, n.Ready = word, n.Ready || word == Ready
			}
		}
	}
	return n
}
