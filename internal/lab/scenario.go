package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Scenario is a file of steps; the package's comment says how one is written.
type Scenario struct {
	Name  string
	About string   // its first line
	Hosts []string // those that it is for
	Steps []Step
}

// Step is a part of a scenario that works or does not.
type Step struct {
	Name   string
	Script string
	Boot   bool // the machine is started, or started again, and there is no script
}

// digest tells whether a step is as it was.
func (s Step) digest() string {
	sum := sha256.Sum256([]byte(s.Script))
	return hex.EncodeToString(sum[:])[:12]
}

// was says whether the digest is of this step, as it is or with the empty line before
// another step.
func (s Step) was(digest string) bool {
	text := strings.TrimRight(s.Script, "\n")
	return slices.ContainsFunc([]string{s.Script, text + "\n", text + "\n\n"}, func(script string) bool {
		return Step{Script: script}.digest() == digest
	})
}

// first is before the steps of each scenario.
var first = Step{Name: "boot", Boot: true}

// all are the scenario's steps, with the machine's first boot.
func (s *Scenario) all() []Step { return append([]Step{first}, s.Steps...) }

// Load reads a scenario's file.
func Load(path string) (*Scenario, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &Scenario{Name: strings.TrimSuffix(filepath.Base(path), ".sh")}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if err := s.read(line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, number, err)
		}
	}
	if len(s.Steps) == 0 || len(s.Hosts) == 0 || s.About == "" {
		return nil, fmt.Errorf("%s: a scenario says in its first line what it shows, has a line '# hosts: NAME…', and steps that begin with '#: NAME'", path)
	}
	return s, nil
}

func (s *Scenario) read(line string) error {
	words := strings.TrimSpace(line)
	if name, ok := strings.CutPrefix(words, "#: "); ok {
		return s.add(Step{Name: strings.TrimSpace(name)})
	}
	if directive, ok := strings.CutPrefix(words, "#! "); ok {
		if directive != "reboot" {
			return fmt.Errorf("%q is nothing that a scenario can ask for: there is '#! reboot'", words)
		}
		return s.add(Step{Name: fmt.Sprintf("reboot %d", s.boots()+1), Boot: true})
	}
	if len(s.Steps) == 0 {
		return s.readHead(words)
	}
	last := &s.Steps[len(s.Steps)-1]
	if !last.Boot {
		last.Script += line
	} else if words != "" && !strings.HasPrefix(words, "#") {
		return fmt.Errorf("a command after a reboot needs a step: '#: NAME'")
	}
	return nil
}

// add adds a step, whose name is its own: tables know it by that.
func (s *Scenario) add(step Step) error {
	for _, other := range s.all() {
		if other.Name == step.Name {
			return fmt.Errorf("there are two steps %q: each needs a name of its own", step.Name)
		}
	}
	s.Steps = append(s.Steps, step)
	return nil
}

// boots counts the reboots.
func (s *Scenario) boots() (n int) {
	for _, step := range s.Steps {
		if step.Boot {
			n++
		}
	}
	return n
}

// readHead reads a line before the first step.
func (s *Scenario) readHead(line string) error {
	if hosts, ok := strings.CutPrefix(line, "# hosts: "); ok {
		s.Hosts = strings.Fields(hosts)
		for _, name := range s.Hosts {
			if _, err := Find(name); err != nil {
				return err
			}
		}
		return nil
	}
	comment, ok := strings.CutPrefix(line, "#")
	switch {
	case line == "":
	case !ok:
		return fmt.Errorf("a command before the first step, '#: NAME'")
	case s.About == "":
		s.About = strings.TrimSpace(comment)
	}
	return nil
}
