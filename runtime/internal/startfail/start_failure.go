package startfail

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Way is a way in which the start of a sandbox's command fails.
type Way string

// The ways.
const (
	NotStarted Way = "not started" // there is no such program or user, or the sandbox could not be set up
	EndedEarly Way = "ended"       // it has ended for good
	Looping    Way = "looping"     // it has ended, was started again, and so on
	NotReady   Way = "not ready"   // it runs, and its readiness probe does not succeed
	Lost       Way = "lost"        // the sandbox's first process has ended, or does not answer
)

// StartFailure is a sandbox that was started, and whose command does not run as
// it should.
type StartFailure struct {
	Name   string         // the sandbox's
	Way    Way            // in which it failed
	Argv   []string       // its command; nil where that is not known
	Status channel.Status // the last word of its first process
	Memory int64          // bytes that it may use, where the kernel killed because that was not enough; else 0
	Ended  bool           // the sandbox itself has ended, for Lost
	Err    error          // what was seen of it on the host, for NotReady and Lost

	Records []channel.Record // what the command wrote, the oldest first
}

// The most of a command's last words that an error shows.
const (
	ShownLines = 10
	tabWidth   = 4
)

// Unwrap gives what was seen on the host, or nil.
func (f *StartFailure) Unwrap() error { return f.Err }

// Code implements fault.Coded.
func (f *StartFailure) Code() string { return diag.Failed }

// Error says how it failed, what the command wrote last, and what may mend it.
func (f *StartFailure) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", f.Name, f.what())
	if lines := f.LastWords(); len(lines) > 0 {
		b.WriteString("\n  it wrote last:")
		for _, line := range lines {
			b.WriteString("\n    | " + line)
		}
	} else if f.Way != NotStarted && f.Way != Lost {
		b.WriteString("\n  it wrote nothing")
	}
	for _, advice := range f.advice() {
		b.WriteString("\n  " + advice)
	}
	return b.String()
}

// Leaves adds to cause, which holds f, what becomes of a sandbox that is left to
// itself.
func (f *StartFailure) Leaves(cause error) error {
	switch f.Status.State {
	case channel.Ended:
		return fmt.Errorf("%w\n%s is stopped now: sbx up %s starts it", cause, f.Name, f.Name)
	case "":
		return cause
	}
	return fmt.Errorf("%w\n%s goes on, and starts its command again where its profile says so: sbx stop %s ends it", cause, f.Name, f.Name)
}

// what says in a line how it failed.
func (f *StartFailure) what() string {
	s := f.Status
	switch f.Way {
	case NotStarted:
		return "its command cannot start: " + s.Message
	case EndedEarly:
		return f.program() + " ended " + f.end()
	case Looping:
		return fmt.Sprintf("%s has ended %d times in a row before it was ready, the last time %s", f.program(), s.Failures, f.end())
	case NotReady:
		if f.Err == nil {
			return f.program() + " did not become ready: " + s.Message
		}
		if s.Exit != nil {
			return fmt.Sprintf("%v; %s ended last %s", f.Err, f.program(), f.end())
		}
		return f.Err.Error()
	}
	if f.Ended {
		return fmt.Sprintf("its first process has ended without saying why: %v", f.Err)
	}
	return f.Err.Error()
}

// program is the command as an error names it.
func (f *StartFailure) program() string {
	if len(f.Argv) == 0 {
		return "its command"
	}
	return "its command " + channel.Clean(f.Argv[0])
}

// end says when and how the command ended.
func (f *StartFailure) end() string {
	s := f.Status
	if s.Exit == nil {
		return "before it had started: " + s.Message
	}
	text := fmt.Sprintf("%v after its start, ", time.Duration(s.Ran)*time.Millisecond)
	if s.Exit.Signal == 0 {
		text += "with "
	}
	text += s.Exit.String()
	if s.Message != "" {
		text += ": " + s.Message
	}
	return text
}

// LastWords are the last lines that the command's latest run wrote, fit to be
// shown.
func (f *StartFailure) LastWords() []string {
	var text strings.Builder
	for _, r := range f.Records {
		if r.Number >= f.Status.Output {
			text.Write(r.Data)
		}
	}
	var lines []string
	for line := range strings.Lines(text.String()) {
		line = strings.TrimRight(strings.ReplaceAll(line, "\t", strings.Repeat(" ", tabWidth)), "\r\n ")
		if line != "" {
			lines = append(lines, channel.Clean(line))
		}
	}
	return lines[max(0, len(lines)-ShownLines):]
}

// advice says what may mend it, where that can be known.
func (f *StartFailure) advice() (lines []string) {
	s := f.Status
	if f.Memory > 0 {
		lines = append(lines, fmt.Sprintf("the kernel killed for want of memory: resources.memory gives it %dMiB", f.Memory>>20))
	}
	switch {
	case f.Way == Lost && f.Ended:
		lines = append(lines, "the kernel's log (dmesg) tells if it was killed for want of memory, and libvirt's of the sandbox what else befell it")
	case f.Way == NotStarted && (s.Reason == channel.ReasonNotFound || s.Reason == channel.ReasonNotExecutable):
		lines = append(lines, "of the host it sees what its profile names in expose and mounts, and nothing else")
	case s.Exit != nil && *s.Exit == (channel.Exit{}) && f.Way != NotReady:
		lines = append(lines, foreground(f.Argv))
	case s.Exit != nil && s.Exit.Code == 127 && strings.Contains(strings.Join(f.LastWords(), "\n"), "shared libraries"):
		lines = append(lines, "expose the folder of that library: ldd lists all that a program needs")
	case s.Exit != nil && f.Way != NotReady && f.refused():
		lines = append(lines, "the kernel refuses what its profile does not open: capabilities, and system calls by syscalls, with nested: true for programs that have sandboxes of their own, such as bwrap and browsers")
	}
	return lines
}

// refused says whether the command complains of what sandboxes refuse.
func (f *StartFailure) refused() bool {
	words := strings.Join(f.LastWords(), "\n")
	return slices.ContainsFunc([]string{"Operation not permitted", "Function not implemented", "create new namespace"}, func(text string) bool {
		return strings.Contains(words, text)
	})
}
