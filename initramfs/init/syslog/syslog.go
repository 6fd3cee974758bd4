// Package syslog receives what programs write by syslog(3), at the socket that they
// look for.
package syslog

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sbx-dev/sbx/initramfs/init/datagram"
)

// Path is where syslog(3) of every C library sends its messages.
const Path = "/dev/log"

// Messages are those that programs send.
type Messages struct{ socket *datagram.Socket }

// Listen makes the socket, which everyone inside may write to.
func Listen(path string) (*Messages, error) {
	socket, err := datagram.Listen(path)
	if err != nil {
		return nil, err
	}
	return &Messages{socket}, nil
}

// Serve calls add with each message, as a line of text, from now on.
func (m *Messages) Serve(add func(line []byte)) {
	m.socket.Serve(0, func(messages [][]byte) {
		for _, message := range messages {
			add(line(message))
		}
	})
}

// Drain hands on all that has been sent until now: a program's last words may come a
// moment before its end.
func (m *Messages) Drain() { m.socket.Drain() }

// The names of logger(1), by their numbers in RFC 3164.
var (
	facilities = []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
		"12", "13", "14", "15", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
	severities = []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
)

// line is a message with its priority in words and without the time that its sender
// gives it: `daemon.err sshd[12]: no host keys`.
func line(message []byte) []byte {
	text := string(bytes.TrimRight(message, "\x00\n"))
	priority := "user.notice"
	if number, rest, ok := strings.Cut(strings.TrimPrefix(text, "<"), ">"); ok && strings.HasPrefix(text, "<") {
		if n, err := strconv.ParseUint(number, 10, 8); err == nil && int(n/8) < len(facilities) {
			priority, text = facilities[n/8]+"."+severities[n%8], rest
		}
	}
	if n := len(time.Stamp); len(text) > n && text[n] == ' ' {
		if _, err := time.Parse(time.Stamp, text[:n]); err == nil {
			text = text[n+1:]
		}
	}
	return fmt.Appendf(nil, "%s %s\n", priority, strings.ReplaceAll(text, "\n", " "))
}
