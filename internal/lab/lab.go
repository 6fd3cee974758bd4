package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// stepBound ends a step that hangs. A machine in an emulated machine takes minutes.
const stepBound = 20 * time.Minute

// Options of a run.
type Options struct {
	Cache string    // folder of images
	Share string    // folder that the machine sees as /lab; the lab writes into it
	Log   io.Writer // how far the run is, and what image.sh prints
}

// Run runs a scenario on a fresh machine of a host, and removes the machine. What
// its steps come to is the result; an error is the lab's own.
func Run(ctx context.Context, h Host, s *Scenario, o Options) (*Result, error) {
	img, err := h.image(ctx, o.Cache, o.Log)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sbx-lab-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	share, err := filepath.Abs(o.Share)
	if err != nil {
		return nil, err
	}
	m, err := newMachine(ctx, img, h.Kernel, dir, share)
	if err != nil {
		return nil, err
	}
	defer m.off()
	r := &Result{Host: h.Name, Scenario: s.Name, Image: img.made}
	t := teller{r: r, log: o.Log}
	t.step("boot", func() (string, string) { return settle(ctx, m, m.boot) })
	for _, step := range s.Steps {
		t.step(step.Name, func() (string, string) {
			switch {
			case ctx.Err() != nil || m.isOff():
				return NotRun, "the machine is off"
			case step.Reboot:
				return settle(ctx, m, m.reboot)
			default:
				return runStep(ctx, m, step)
			}
		})
	}
	return r, ctx.Err()
}

// teller adds steps to a result and says so.
type teller struct {
	r   *Result
	log io.Writer
}

func (t *teller) step(name string, do func() (outcome, output string)) {
	begun := time.Now()
	outcome, output := do()
	s := StepResult{Name: name, Outcome: outcome, Took: time.Since(begun), Output: output}
	t.r.Steps = append(t.r.Steps, s)
	fmt.Fprintf(t.log, "%s %s: %s: %s (%.1f s)\n", t.r.Host, t.r.Scenario, s.Name, s.Outcome, s.Took.Seconds())
	if outcome != OK {
		fmt.Fprintln(t.log, s.Output)
	} else if said := s.Said(); said != "" {
		fmt.Fprintln(t.log, "    "+said)
	}
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
		return Failed, err.Error() + "\n" + string(out)
	}
	return OK, string(out)
}

// prelude is before each step: what fails is named.
const prelude = `trap 'code=$?; echo "exit status $code: $BASH_COMMAND" >&2' ERR` + "\n"

func runStep(ctx context.Context, m *machine, step Step) (outcome, output string) {
	out, code, err := m.run(ctx, prelude+step.Script, stepBound)
	switch {
	case err != nil:
		return Failed, string(out) + "\n" + err.Error()
	case code == 124:
		return TooLong, fmt.Sprintf("%s\nended after %v", out, stepBound)
	case code != 0:
		return Failed, string(out)
	}
	return OK, string(out)
}
