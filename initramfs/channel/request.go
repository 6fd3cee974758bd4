package channel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxStrings is the most that a request's strings may hold, in bytes. Linux
// takes 2 MiB of arguments and variables by default and 6 MiB at most, a quarter
// of its limit for stacks (execve(2), "Limits on size of arguments and
// environment"); whether it takes them there is for the guest's kernel to say.
const maxStrings = 8 << 20

// wireRequest is a request as JSON. The strings of its command are bytes to the
// kernel and JSON would change those that are no UTF-8, so they come before it,
// each ended by a NUL: the folder, the user, the arguments, the variables.
type wireRequest struct {
	Request
	Args int `json:"args,omitempty"` // how many of the strings are arguments
}

// writeRequest sends a request and, before it, its strings in as many frames as
// they take.
func writeRequest(w io.Writer, r Request) error {
	wire := wireRequest{Request: r}
	if c := r.Command; c != nil {
		wire.Args = len(c.Argv)
		block, err := c.pack()
		if err != nil {
			return err
		}
		for part := range slices.Chunk(block, MaxPayload) {
			if err := writeFrame(w, KindStrings, part); err != nil {
				return err
			}
		}
	}
	return writeJSON(w, KindRequest, wire)
}

// pack joins the command's strings. What no kernel could run is a *Failure.
func (c *Command) pack() ([]byte, error) {
	list := append(append([]string{c.Workdir, c.User}, c.Argv...), c.Env...)
	total := 0
	for _, s := range list {
		total += len(s) + 1
		if strings.ContainsRune(s, 0) {
			return nil, &Failure{ReasonRefused, fmt.Sprintf("%q holds a NUL byte, and nothing that a program is started with can", s[:min(len(s), 80)])}
		}
	}
	if total > maxStrings {
		return nil, &Failure{ReasonNotExecutable, fmt.Sprintf("the argument list is too long: arguments and variables are %d bytes, and no kernel takes more than %d", total, maxStrings)}
	}
	block := make([]byte, 0, total)
	for _, s := range list {
		block = append(append(block, s...), 0)
	}
	return block, nil
}

// unpack takes a command's strings out of what pack made.
func (c *Command) unpack(block []byte, args int) error {
	if len(block) == 0 || block[len(block)-1] != 0 {
		return errRequest
	}
	list := strings.Split(string(block[:len(block)-1]), "\x00")
	if args < 0 || len(list) < 2+args {
		return errRequest
	}
	c.Workdir, c.User = list[0], list[1]
	c.Argv, c.Env = list[2:2+args], list[2+args:]
	return nil
}

var errRequest = errors.New("this is no request")

// readRequest reads the request that opens a stream.
func readRequest(frames *frameReader) (Request, error) {
	var block []byte
	for {
		f, err := frames.next()
		if err != nil {
			return Request{}, err
		}
		switch {
		case f.Kind == KindStrings && len(block)+len(f.Payload) <= maxStrings:
			block = append(block, f.Payload...)
		case f.Kind == KindRequest:
			return parseRequest(f.Payload, block)
		default:
			return Request{}, errRequest
		}
	}
}

func parseRequest(payload, block []byte) (Request, error) {
	var wire wireRequest
	if json.Unmarshal(payload, &wire) != nil {
		return Request{}, errRequest
	}
	if wire.Command != nil {
		if err := wire.Command.unpack(block, wire.Args); err != nil {
			return Request{}, err
		}
	}
	return wire.Request, nil
}
