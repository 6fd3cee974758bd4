package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// stepBound ends a step that hangs. A machine in an emulated machine takes minutes.
const stepBound = 20 * time.Minute

// Options of a run.
type Options struct {
	Cache  string    // folder of images
	Shared []string  // folders whose files the machine finds in /lab
	Commit string    // of what is tested
	Log    io.Writer // how far the run is, and what image.sh prints
}

// attempts are how often a scenario may begin anew because the machine's kernel has
// panicked. Under emulation by several threads Linux now and then meets an int3 of
// its own code patching that is no longer one ("Oops: int3" in __schedule): the last
// attempt is by one thread.
const attempts = 2

// Run runs a scenario on a fresh machine of a host, and removes the machine. What
// its steps come to is the result; an error is the lab's own.
func Run(ctx context.Context, h Host, s *Scenario, o Options) (*Result, error) {
	img, err := h.image(ctx, o.Cache, o.Log)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		r := &run{log: o.Log, result: &Result{
			Host: h.Name, Scenario: s.Name, Commit: o.Commit, Date: time.Now().Format(time.DateOnly),
			Image: img.made.Format(time.DateOnly), Attempt: attempt,
		}}
		panicked, err := r.onFresh(ctx, img, h, s, o)
		if err != nil || ctx.Err() != nil || !panicked || attempt == attempts {
			return r.result, errors.Join(err, ctx.Err())
		}
		fmt.Fprintf(o.Log, "%s %s: the machine's kernel has panicked: beginning anew\n", h.Name, s.Name)
	}
}

// onFresh runs a scenario on a machine of its own, and says whether its kernel has
// panicked.
func (r *run) onFresh(ctx context.Context, img image, h Host, s *Scenario, o Options) (panicked bool, err error) {
	dir, err := os.MkdirTemp("", "sbx-lab-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	share := filepath.Join(dir, "share")
	for _, from := range o.Shared {
		if err := os.CopyFS(share, os.DirFS(from)); err != nil {
			return false, err
		}
	}
	if err := writeTools(share); err != nil {
		return false, err
	}
	r.machine, err = newMachine(ctx, img, h.Kernel, dir, share)
	if err != nil {
		return false, err
	}
	defer r.machine.off()
	r.result.Emulated = r.machine.accel != "kvm"
	if r.result.Emulated && r.result.Attempt == attempts {
		r.machine.accel = inTurns
	}
	for _, step := range s.all() {
		r.step(ctx, step)
		if r.machine.isOff() && r.machine.panicked() {
			panicked = true
		}
	}
	return panicked, nil
}

// run is a scenario at work.
type run struct {
	machine *machine
	result  *Result
	log     io.Writer
}

// step does a step, notes what it has come to, and says so.
func (r *run) step(ctx context.Context, step Step) {
	begun := time.Now()
	outcome, output := r.do(ctx, step)
	s := StepResult{
		Name: step.Name, Digest: step.digest(), Outcome: outcome,
		Seconds: time.Since(begun).Seconds(), Output: strings.ToValidUTF8(output, "\uFFFD"),
	}
	r.result.Steps = append(r.result.Steps, s)
	fmt.Fprintf(r.log, "%s %s: %s: %s (%.1f s)\n", r.result.Host, r.result.Scenario, s.Name, s.Outcome, s.Seconds)
	lines := 1
	if outcome != OK {
		lines = 40
	}
	if said := s.said(lines); said != "" {
		fmt.Fprintln(r.log, "    "+strings.ReplaceAll(said, "\n", "\n    "))
	}
}

func (r *run) do(ctx context.Context, step Step) (outcome, output string) {
	m := r.machine
	switch {
	case step == first:
		outcome, output = settle(ctx, m, m.boot)
		if outcome == OK {
			r.result.About = about(ctx, m)
		}
		return outcome, output
	case ctx.Err() != nil || m.isOff():
		return NotRun, "the machine is off"
	case step.Boot:
		return settle(ctx, m, m.reboot)
	}
	return runStep(ctx, m, step)
}

// settle boots m in one way or another, and waits until systemd has started all
// there is. Units that have failed are named: they are the scenario's matter.
func settle(ctx context.Context, m *machine, boot func(context.Context) error) (outcome, output string) {
	if err := boot(ctx); err != nil {
		m.off()
		return Failed, err.Error()
	}
	out, _, err := m.run(ctx, "systemctl is-system-running --wait || systemctl --failed --no-legend --plain", stepBound)
	if err != nil {
		m.off()
		return Failed, fmt.Sprintf("%s\n%v; the end of its console:\n%s", out, err, m.console())
	}
	return OK, string(out)
}

// about asks a machine what it is.
func about(ctx context.Context, m *machine) string {
	const ask = `. /etc/os-release
version() { grep -o -m 1 '[0-9][0-9.]*' | head -n 1; }
echo "$PRETTY_NAME; Linux $(uname -r), systemd $(systemctl --version | version), libvirt $(libvirtd --version | version),
QEMU $(qemu-system-x86_64 --version | version); $(cat /sys/kernel/security/lsm)"`
	out, code, err := m.run(ctx, ask, stepBound)
	if err != nil || code != 0 {
		return fmt.Sprintf("does not say what it is: %s %v", out, err)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

// prelude is before each step: what fails is named.
const prelude = `trap 'code=$?; echo "exit status $code: $BASH_COMMAND" >&2' ERR` + "\n"

func runStep(ctx context.Context, m *machine, step Step) (outcome, output string) {
	out, code, err := m.run(ctx, prelude+step.Script, stepBound)
	switch {
	case err != nil: // its own bound has not ended it: nothing in the machine answers
		m.off()
		return Failed, fmt.Sprintf("%s\n%v; the end of its console:\n%s", out, err, m.console())
	case code == 124:
		return TooLong, fmt.Sprintf("%s\nended after %v", out, stepBound)
	case code != 0:
		return Failed, string(out)
	}
	return OK, string(out)
}
