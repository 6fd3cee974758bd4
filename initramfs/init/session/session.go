// Package session runs one command for the host: its three pipes or its
// terminal are carried over a stream of the channel.
package session

import (
	"encoding/json"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
	"github.com/sbx-dev/sbx/internal/splice"
)

// hangup is how long a command may take to end after its host is gone.
const hangup = 2 * time.Second

// Session is a command under way.
type Session struct {
	table   *proc.Table
	stream  *channel.Stream
	process *proc.Process
	ends    *ends
	stdin   *stdin
	piped   *os.File      // where the host has standard output be moved; nil where it comes in frames
	gone    chan struct{} // closed when the host has closed the stream or is lost
}

// Start starts what the host's command has come to with pipes, or a terminal, towards the
// stream. The error is a *channel.Failure.
func Start(table *proc.Table, spec proc.Spec, command channel.Command, stream *channel.Stream) (*Session, error) {
	e, err := open(spec, command.TTY, command.Stdin)
	if err != nil {
		return nil, &channel.Failure{Reason: channel.ReasonFailed, Message: "cannot connect the command: " + err.Error()}
	}
	spec.Files = e.inside
	spec.TTY = e.terminal
	p, err := table.Start(spec)
	e.closeInside()
	if err != nil {
		e.close()
		return nil, err
	}
	in := newStdin(e, stream)
	if !command.Stdin {
		in.end()
	}
	s := &Session{table: table, stream: stream, process: p, ends: e, stdin: in, gone: make(chan struct{})}
	if !e.terminal {
		s.piped = stream.Output(command)
	}
	return s, nil
}

func open(spec proc.Spec, tty *channel.Size, stdin bool) (*ends, error) {
	if tty != nil {
		return openTerminal(*tty, spec.User)
	}
	return openPipes(stdin, spec.User)
}

// Serve carries the session to the command's end and reports it. The host's
// leaving ends the command. beforeExit is called when the command itself has
// ended, before the rest of its output is sent.
func (s *Session) Serve(beforeExit func()) channel.Exit {
	_ = s.stream.Started(s.piped != nil) // a lost host shows in receive
	outputs := s.sendOutputs()
	go s.stdin.run()
	go func() { s.receive(); close(s.gone) }()

	select {
	case <-s.process.Done():
	case <-s.gone:
		s.hangUp()
	}
	exit := s.process.Exit()
	beforeExit()
	s.ends.drain()
	for range outputs.n {
		<-outputs.done
	}
	s.stdin.finish()
	s.ends.close()
	_ = s.stream.SendJSON(channel.KindExit, exit) // or the host is gone
	return exit
}

// AwaitHost waits until the host has taken the report of the command's end, and
// so has closed the stream, or is lost.
func (s *Session) AwaitHost() { <-s.gone }

// hangUp ends a command whose host is gone.
func (s *Session) hangUp() {
	s.table.SignalGroup(s.process, syscall.SIGHUP)
	select {
	case <-s.process.Done():
	case <-time.After(hangup):
		s.table.SignalGroup(s.process, syscall.SIGKILL)
	}
}

// receive does what the host's frames say until the stream ends.
func (s *Session) receive() {
	defer s.stdin.end()
	for {
		f, err := s.stream.Receive()
		if err != nil {
			return
		}
		switch f.Kind {
		case channel.KindStdin:
			if !s.stdin.add(f.Payload) {
				return // the host sends more than it may
			}
		case channel.KindStdinEOF:
			s.stdin.end()
		case channel.KindSignal:
			if len(f.Payload) == 1 {
				s.table.SignalGroup(s.process, syscall.Signal(f.Payload[0]))
			}
		case channel.KindResize:
			var size channel.Size
			if json.Unmarshal(f.Payload, &size) == nil {
				s.ends.resize(size)
			}
		case channel.KindCloseOutput:
			if len(f.Payload) == 1 {
				s.ends.closeOutput(int(f.Payload[0]))
			}
		}
	}
}

// outputs counts the goroutines that send output.
type outputs struct {
	n    int
	done chan struct{}
}

func (s *Session) sendOutputs() outputs {
	o := outputs{done: make(chan struct{}, 2)}
	for i, kind := range []channel.Kind{channel.KindStdout, channel.KindStderr} {
		if f := s.ends.outputs[i]; f != nil {
			o.n++
			go func() {
				if kind == channel.KindStdout && s.piped != nil {
					moveOutput(f, s.piped)
				} else {
					s.sendOutput(f, kind)
				}
				o.done <- struct{}{}
			}()
		}
	}
	return o
}

// moveOutput moves what comes out of f into the host's pipe, and closes that. When nobody
// reads it, f is closed, so that the command does not hang on it.
func moveOutput(f, to *os.File) {
	defer to.Close()
	err := splice.All(to, f)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = splice.Rest(to, f)
	}
	if err != nil {
		f.Close()
	}
}

// sendOutput sends what comes out of f, and no more than stands there once the command
// has ended: a process in the background may hold it open. When the host is gone it
// closes f, so that the command does not hang on it.
func (s *Session) sendOutput(f *os.File, kind channel.Kind) {
	buf, left := make([]byte, channel.OutputChunk), splice.Left(f)
	for {
		n, err := left.Read(buf)
		if n > 0 && s.stream.Send(kind, buf[:n]) != nil {
			f.Close()
			return
		}
		if err != nil {
			return
		}
	}
}

// Process is the command itself.
func (s *Session) Process() *proc.Process { return s.process }
