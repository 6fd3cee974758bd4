// Package jobs has systemd start sandboxes by their schedules.
package jobs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sbx-dev/sbx/internal/schedule"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

var (
	// units are the folder of the units that a host's administrator has.
	units = "/etc/systemd/system"
	// stamps are the folder of systemd.timer(5)'s notes of when timers started something.
	stamps = "/var/lib/systemd/timers"
)

func unit(sandbox string) string { return "sbx-job@" + sandbox + ".timer" }

// Check refuses a schedule where no systemd runs that could start the sandbox.
func Check(sandbox string) error {
	if _, err := os.Stat("/run/systemd/system"); err != nil { // as sd_booted(3) has it
		return fault.New(diag.NoTimer, "%s: its schedule takes systemd, which does not run on this host: take every out, and start it by whatever starts things here: sbx run", sandbox)
	}
	if err := systemctl("cat", "sbx-job@.service"); err != nil {
		return fault.New(diag.NoTimer, "%s: its schedule takes sbx's unit sbx-job@.service, which this host's systemd does not have: install the package, or make install (%w)", sandbox, err)
	}
	return nil
}

// Text is the timer of a sandbox that runs by the schedule.
func Text(sandbox, every string) (string, error) {
	s, err := schedule.Parse(every)
	if err != nil {
		return "", fmt.Errorf("%s: every: %w", sandbox, err)
	}
	return s.Timer(sandbox), nil
}

// Found is the sandbox's timer as it is on this host, with what keeps it from starting
// anything; "" where there is none.
func Found(sandbox string) (string, error) {
	text, err := os.ReadFile(filepath.Join(units, unit(sandbox)))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if systemctl("is-enabled", "--quiet", unit(sandbox)) != nil {
		return string(text) + "# not enabled\n", nil
	}
	if systemctl("is-active", "--quiet", unit(sandbox)) != nil {
		return string(text) + "# not started\n", nil
	}
	return string(text), nil
}

// Install has systemd start the sandbox by the schedule, from now on and after each
// start of the host. A timer that is so already goes on undisturbed.
func Install(sandbox, every string) error {
	text, err := Text(sandbox, every)
	if err != nil {
		return err
	}
	if found, err := Found(sandbox); err != nil || found == text {
		return err
	}
	// Whatever interrupts us, systemd never has another timer than the one in its file.
	if err := Remove(sandbox); err != nil {
		return fmt.Errorf("%s: %w", sandbox, err)
	}
	if err := hostfile.WriteAtomic(filepath.Join(units, unit(sandbox)), []byte(text), 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{{"daemon-reload"}, {"enable", "--quiet", unit(sandbox)}, {"restart", unit(sandbox)}} {
		if err := systemctl(args...); err != nil {
			return fault.New(diag.NoTimer, "%s: its timer cannot be started: %w", sandbox, err)
		}
	}
	return nil
}

// Remove takes the sandbox's timer away; a run that is under way goes on.
func Remove(sandbox string) error {
	file := filepath.Join(units, unit(sandbox))
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := systemctl("disable", "--quiet", "--now", unit(sandbox)); err != nil {
		return fmt.Errorf("its timer cannot be stopped: %w", err)
	}
	// With the note, a later job of the name would run at once, to make up for what this
	// one has missed by then.
	if err := hostfile.RemoveFile(filepath.Join(stamps, "stamp-"+unit(sandbox))); err != nil {
		return err
	}
	if err := hostfile.RemoveFile(file); err != nil {
		return err
	}
	return systemctl("daemon-reload")
}

// Sandboxes are those that this host has timers of.
func Sandboxes() (names []string) {
	timers, err := filepath.Glob(filepath.Join(units, unit("*")))
	if err != nil {
		return nil
	}
	before, after, _ := strings.Cut(unit("*"), "*")
	for _, t := range timers {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(t), before), after)
		if schema.IsName(name) {
			names = append(names, name)
		}
	}
	return names
}

// Look says when the sandbox's timer starts it next, and, where it does not run, the exit
// code of its last run; nil where that is not known.
func Look(dir, sandbox string, running bool) (next *time.Time, last *int) {
	out, err := exec.Command("systemctl", "list-timers", "--all", "--output=json", unit(sandbox)).Output()
	var timers []struct {
		Next int64 `json:"next"` // microseconds since 1970
	}
	if err == nil && json.Unmarshal(out, &timers) == nil && len(timers) == 1 && timers[0].Next > 0 {
		at := time.UnixMicro(timers[0].Next)
		next = &at
	}
	if end, err := keep.NotedEnd(dir); err == nil && !running && end.Exit != nil {
		code := end.Exit.Status()
		last = &code
	}
	return next, last
}

func systemctl(args ...string) error {
	out, err := exec.Command("systemctl", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
