package virt

import (
	"errors"
	"slices"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/latelibvirt"
)

// ErrorCode is libvirt's code for the error; ERR_OK when it is not libvirt's.
func ErrorCode(err error) libvirt.ErrorNumber {
	var e libvirt.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return libvirt.ERR_OK
}

// plainError is an error of libvirt's whose text leaves out libvirt's numbers.
type plainError struct{ cause libvirt.Error }

func (e plainError) Error() string {
	return withoutEcho(withoutWarnings(e.cause.Message)) + missingDaemon(e.cause) + missingChains(e.cause)
}
func (e plainError) Unwrap() error { return e.cause }

// missingDaemon says what to do where the daemon of a backend's driver has found no
// daemon for networks or filters: where libvirt has one for each driver, they come in
// packages of their own.
func missingDaemon(err libvirt.Error) string {
	if err.Code != libvirt.ERR_SYSTEM_ERROR {
		return ""
	}
	for _, daemon := range []string{"virtnetworkd", "virtnwfilterd"} {
		if strings.Contains(err.Message, "/"+daemon+"-sock'") {
			return " (systemctl enable --now " + daemon + ".socket, where " + daemon + " is installed)"
		}
	}
	return ""
}

// missingChains says what to do where libvirt cannot put a network's rules into its own
// chains of the packet filter, because somebody has removed those: it makes them when it
// starts. The first words are iptables', the next those of other versions of it, the last
// ones nft's.
func missingChains(err error) string {
	var e libvirt.Error
	has := func(words string) bool { return strings.Contains(e.Message, words) }
	if !errors.As(err, &e) || !slices.ContainsFunc([]string{"LIBVIRT_", "libvirt_network"}, has) ||
		!slices.ContainsFunc([]string{"No chain/target/match by that name", "does not exist", "No such file or directory"}, has) {
		return ""
	}
	return " (the chains of libvirt's networks are gone from this host's packet filter, as after nft flush ruleset, or a reload of nftables.service or firewalld: " + MendNetworks + ", puts them back, and ends nothing that runs)"
}

// withoutWarnings leaves out QEMU's warnings of how libvirt calls it, which stand
// before the one line that says what is wrong.
func withoutWarnings(message string) string {
	var lines []string
	for line := range strings.Lines(message) {
		if at := strings.Index(line, "qemu-system-"); at >= 0 && strings.Contains(line[at:], ": warning: ") {
			line = line[:at] // what libvirt says before
		}
		if line != "Please use readonly=on instead\n" {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines, ""))
}

// withoutEcho leaves out nft's echo of its command, below which it points at a word: what
// is wrong with which command stands before.
func withoutEcho(message string) string {
	var kept []string
	for line := range strings.SplitSeq(message, "\n") {
		points := strings.Contains(line, "^") && strings.Trim(line, " \t^~") == ""
		switch {
		case !points || len(kept) == 0:
			kept = append(kept, line)
		case len(kept) > 1:
			kept = kept[:len(kept)-1]
		}
	}
	return strings.Join(kept, "\n")
}

// Plain makes an error of libvirt's fit for a person; any other stays as it is.
func Plain(err error) error {
	var e libvirt.Error
	if errors.As(err, &e) {
		if missing := latelibvirt.Missing(); missing != nil {
			return missing // the binding says it of the first function alone
		}
		return plainError{e}
	}
	return err
}
