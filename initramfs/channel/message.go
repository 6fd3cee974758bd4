package channel

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Op is what a stream is for.
type Op string

// The operations that a host may ask for.
const (
	OpRun     Op = "run"     // start the sandbox's own command; once, and only where it is no service
	OpExec    Op = "exec"    // run a further command
	OpStatus  Op = "status"  // send the state now and at every change
	OpOutput  Op = "output"  // send the service's output
	OpStop    Op = "stop"    // stop the service and end the sandbox
	OpRestart Op = "restart" // stop the service and start it again
	OpReload  Op = "reload"  // have the service read its configuration anew
	OpSignal  Op = "signal"  // signal the sandbox's own command
	OpSecret  Op = "secret"  // write a secret to its file; nothing runs before all are there
	OpDisplay Op = "display" // connect a viewer to the sandbox's screen
)

// Request opens a stream.
type Request struct {
	Op      Op       `json:"op"`
	Command *Command `json:"command,omitempty"` // of OpRun and OpExec
	Secret  *Secret  `json:"secret,omitempty"`  // of OpSecret
	Signal  int      `json:"signal,omitempty"`  // of OpSignal: its number
	From    uint64   `json:"from,omitempty"`    // of OpOutput: the first record's number
	Follow  bool     `json:"follow,omitempty"`  // of OpOutput: go on with what comes
	Shared  bool     `json:"shared,omitempty"`  // of OpDisplay: beside other viewers; else there may be none
}

// Secret is one of the files that the manifest names.
type Secret struct {
	Name  string `json:"name"`
	Value []byte `json:"value"` // at most manifest.MaxSecret bytes
}

// Command is what a session runs. What is left empty is as the manifest's run
// says; Env adds to its environment and overrides it.
//
// Its strings are whatever bytes but NUL a kernel takes; see wireRequest.
type Command struct {
	Argv    []string `json:"-"`
	Env     []string `json:"-"` // NAME=value
	Workdir string   `json:"-"`
	User    string   `json:"-"`
	TTY     *Size    `json:"tty,omitempty"`   // a terminal of this size in place of three pipes
	Stdin   bool     `json:"stdin,omitempty"` // standard input follows; else it is /dev/null
	Piped   bool     `json:"piped,omitempty"` // standard output may come by the pipe that the host has passed
}

// Size is a terminal's, in characters.
type Size struct {
	Rows uint16 `json:"rows"`
	Cols uint16 `json:"cols"`
}

// Exit is how a command ended: by itself with a code, or by a signal.
type Exit struct {
	Code   int `json:"code"`
	Signal int `json:"signal,omitempty"`
}

// Status is the code that a shell gives for the exit: the command's own, or 128
// and the signal's number.
func (e Exit) Status() int {
	if e.Signal != 0 {
		return 128 + e.Signal
	}
	return e.Code
}

// String says how it ended, for a person.
func (e Exit) String() string {
	if e.Signal != 0 {
		return strings.TrimSpace(fmt.Sprintf("killed by signal %d %s", e.Signal, unix.SignalName(syscall.Signal(e.Signal))))
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

func (e Exit) check() error {
	if e.Code < 0 || e.Code > 255 || e.Signal < 0 || e.Signal > 64 {
		return fmt.Errorf("exit code %d with signal %d does not exist", e.Code, e.Signal)
	}
	return nil
}

// Reason says why a command did not start.
type Reason string

// The reasons.
const (
	ReasonNotFound      Reason = "not-found"      // there is no such file
	ReasonNotExecutable Reason = "not-executable" // there is, but it cannot be executed
	ReasonRefused       Reason = "refused"        // the request makes no sense now
	ReasonUnsupported   Reason = "unsupported"    // the profile does not say how
	ReasonFailed        Reason = "failed"         // anything else
)

// Failure is a request that was not granted. Its Message is clean on the host's
// side.
type Failure struct {
	Reason  Reason
	Message string
}

// wireFailure is a Failure as JSON. Its message may name files, so it is bytes.
type wireFailure struct {
	Reason  Reason `json:"reason"`
	Message []byte `json:"message"`
}

func (f *Failure) Error() string { return f.Message }

// State is where in its life the sandbox's command is.
type State string

// The states.
const (
	Waiting   State = "waiting"   // no command yet: a host is to say "run"
	Starting  State = "starting"  // runs, and its readiness probe has not passed
	Ready     State = "ready"     // runs and answers
	Reloading State = "reloading" // has been ready, and says that it reads its configuration anew
	Backoff   State = "backoff"   // has ended and is started again after a pause
	Stopping  State = "stopping"  // was asked to end
	Ended     State = "ended"     // has ended for good; the sandbox ends too
)

var states = map[State]bool{Waiting: true, Starting: true, Ready: true, Reloading: true, Backoff: true, Stopping: true, Ended: true}

// Status is the sandbox's command as its first process sees it.
type Status struct {
	State    State     `json:"state"`
	Since    time.Time `json:"since"`
	PID      int       `json:"pid,omitempty"` // inside
	Restarts int       `json:"restarts,omitempty"`
	Failures int       `json:"failures,omitempty"` // how often in a row it has ended before it was ready
	Exit     *Exit     `json:"exit,omitempty"`     // how it ended last
	Killed   bool      `json:"killed,omitempty"`   // at that end it was killed, since it had not stopped in its time
	Ran      int64     `json:"ran,omitempty"`      // milliseconds from its last start to that end
	Output   uint64    `json:"output,omitempty"`   // the number of its last run's first record
	Reason   Reason    `json:"reason,omitempty"`   // why it did not start; none of those where it did
	Message  string    `json:"message,omitempty"`  // why it is not ready or did not start; clean on the host's side
	Text     string    `json:"text,omitempty"`     // what it says of its state, by sd_notify; clean on the host's side
	OOM      bool      `json:"oom,omitempty"`      // a machine's kernel has killed in its last run, because the memory was full
	Leases   []string  `json:"leases,omitempty"`   // addresses that it says DHCP has given it
	Signaled bool      `json:"signaled,omitempty"` // it was stopped by a signal from outside, not over the channel
}

// wireStatus is a Status as JSON, its texts as bytes.
type wireStatus struct {
	Status
	Message []byte `json:"message,omitempty"`
	Text    []byte `json:"text,omitempty"`
}

// maxMessage bounds a guest's text, in bytes, before it is cleaned.
const maxMessage = 1024

// Clean makes text from a guest fit to be shown: what is not printable, such as
// a terminal's escapes, is written as Go would quote it, and it is cut at 1 KiB.
func Clean(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage] + "…"
	}
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// known is the reason, or, of one that does not exist, that nothing is known.
func (r Reason) known() Reason {
	switch r {
	case ReasonNotFound, ReasonNotExecutable, ReasonRefused, ReasonUnsupported:
		return r
	}
	return ReasonFailed
}

func parseFailure(payload []byte) error {
	var wire wireFailure
	if err := json.Unmarshal(payload, &wire); err != nil {
		return fmt.Errorf("the guest's failure report cannot be read: %w", err)
	}
	return &Failure{wire.Reason.known(), Clean(string(wire.Message))}
}

func parseExit(payload []byte) (Exit, error) {
	var e Exit
	if err := json.Unmarshal(payload, &e); err != nil {
		return Exit{}, fmt.Errorf("the guest's exit report cannot be read: %w", err)
	}
	return e, e.check()
}

func parseStatus(payload []byte) (Status, error) {
	var wire wireStatus
	if err := json.Unmarshal(payload, &wire); err != nil {
		return Status{}, fmt.Errorf("the guest's status cannot be read: %w", err)
	}
	s := wire.Status
	if !states[s.State] {
		return Status{}, fmt.Errorf("the guest reports the state %q, which does not exist", Clean(string(s.State)))
	}
	if s.Exit != nil {
		if err := s.Exit.check(); err != nil {
			return Status{}, err
		}
	}
	if s.Reason != "" {
		s.Reason = s.Reason.known()
	}
	s.Message, s.Text = Clean(string(wire.Message)), Clean(string(wire.Text))
	s.Leases = addresses(s.Leases)
	return s, nil
}

// maxLeases is the most addresses that are taken from a guest.
const maxLeases = 16

// addresses are those of a guest's texts that are addresses which somebody can
// have, in their usual form.
func addresses(texts []string) (list []string) {
	for _, text := range texts {
		a, err := netip.ParseAddr(text)
		if err == nil && a.Zone() == "" && a.IsGlobalUnicast() && len(list) < maxLeases {
			list = append(list, a.String())
		}
	}
	return list
}

// Record is a piece of the service's output.
type Record struct {
	Number uint64 // counts from 0; a gap is output that nobody fetched in time
	Time   time.Time
	Stream int // 1 is standard output, 2 is standard error
	Data   []byte
}

const recordHeader = 8 + 8 + 1

var errRecord = errors.New("the guest's output record cannot be read")

func (r Record) encode() []byte {
	b := make([]byte, recordHeader, recordHeader+len(r.Data))
	binary.BigEndian.PutUint64(b, r.Number)
	binary.BigEndian.PutUint64(b[8:], uint64(r.Time.UnixNano()))
	b[16] = byte(r.Stream)
	return append(b, r.Data...)
}

func parseRecord(payload []byte) (Record, error) {
	if len(payload) < recordHeader || payload[16] != 1 && payload[16] != 2 {
		return Record{}, errRecord
	}
	return Record{
		Number: binary.BigEndian.Uint64(payload),
		Time:   time.Unix(0, int64(binary.BigEndian.Uint64(payload[8:]))),
		Stream: int(payload[16]),
		Data:   payload[recordHeader:],
	}, nil
}
