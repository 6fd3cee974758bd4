package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sbx-dev/sbx/internal/pattern"
	"github.com/sbx-dev/sbx/internal/turns"
)

// report is a run of the benchmarks.
type report struct {
	Date    string    `json:"date"`
	Commit  string    `json:"commit"`
	Machine []string  `json:"machine"` // what kind it is, and what runs there
	Load    []float64 `json:"load"`    // of the last minute, before and after
	Results []result  `json:"results"`
	Failed  []string  `json:"failed,omitempty"` // packages
}

// result is what a benchmark has come to.
type result struct {
	Package string             `json:"package"`
	Name    string             `json:"name"`
	Metrics map[string]float64 `json:"metrics"` // by unit
}

// version is a program's name with its version, of a line that says more.
var version = pattern.Of(`^[^\n]*?\d+(\.\d+)*`)

// begin describes the machine.
func begin(ctx context.Context, now time.Time) (*report, error) {
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return nil, fmt.Errorf("git rev-parse: %w", err)
	}
	r := &report{Date: now.UTC().Format(time.DateOnly), Commit: strings.TrimSpace(string(head)), Load: []float64{load()}}
	r.Machine = []string{strconv.Itoa(runtime.NumCPU()) + " processors (" + runtime.GOARCH + "), machines emulated"}
	for _, argv := range [][]string{{"uname", "-sr"}, {"libvirtd", "--version"}, {"qemu-system-x86_64", "--version"}} {
		if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output(); err == nil {
			r.Machine = append(r.Machine, version().FindString(string(out)))
		}
	}
	r.Machine = append(r.Machine, runtime.Version())
	return r, nil
}

// load is the machine's load of the last minute (proc_loadavg(5)); zero where there is
// none to read.
func load() float64 {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	n, _ := strconv.ParseFloat(first, 64)
	return n
}

// parse reads what go test prints of benchmarks: a line each, of the name, how often it
// ran, and values with their units. What is indented are a benchmark's own words.
func parse(pkg, printed string) (list []result) {
	for line := range strings.Lines(printed) {
		words := strings.Fields(line)
		if len(words) < 4 || !strings.HasPrefix(line, "Benchmark") {
			continue
		}
		r := result{Package: pkg, Name: strings.TrimPrefix(words[0], "Benchmark"), Metrics: map[string]float64{}}
		if i := strings.LastIndexByte(r.Name, '-'); i > 0 && digits(r.Name[i+1:]) {
			r.Name = r.Name[:i] // how many processors it could use
		}
		for pair := range slices.Chunk(words[2:], 2) {
			if n, err := strconv.ParseFloat(pair[0], 64); err == nil && len(pair) == 2 {
				r.Metrics[pair[1]] = n
			}
		}
		list = append(list, r)
	}
	return list
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// text is the report for people, in Markdown: ratios first.
func (r *report) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, commit %s; %s; load %.1f before and %.1f after.\n", r.Date, r.Commit, strings.Join(r.Machine, ", "), r.Load[0], r.Load[len(r.Load)-1])
	b.WriteString("\n| ratio of | median | smallest to largest | rounds | goal | medians |\n|---|---|---|---|---|---|\n")
	var others []result
	for _, m := range r.Results {
		if !m.compares() {
			others = append(others, m)
			continue
		}
		fmt.Fprintf(&b, "| `%s` %s | **%.2f** | %.2f–%.2f | %.0f | %s | %s |\n", m.Package, m.Name,
			m.Metrics[turns.Median], m.Metrics[turns.Least], m.Metrics[turns.Most], m.Metrics[turns.Rounds], m.goal(), m.rest())
	}
	for n, m := range others {
		if n == 0 {
			b.WriteString("\n| benchmark without a peer | values |\n|---|---|\n")
		}
		fmt.Fprintf(&b, "| `%s` %s | %s |\n", m.Package, m.Name, m.rest())
	}
	for _, pkg := range r.Failed {
		fmt.Fprintf(&b, "\nNot all benchmarks of `%s` ran to their end.\n", pkg)
	}
	return b.String()
}

// compares says whether it is a ratio.
func (m result) compares() bool {
	_, is := m.Metrics[turns.Median]
	return is
}

// goal says what the ratio is to be, and whether it is.
func (m result) goal() string {
	ratio := m.Metrics[turns.Median]
	word := func(holds bool) string {
		if holds {
			return "held"
		}
		return "missed"
	}
	if most, ok := m.Metrics[turns.AtMost]; ok {
		return fmt.Sprintf("≤ %.2g: %s", most, word(ratio <= most))
	}
	if least, ok := m.Metrics[turns.AtLeast]; ok {
		return fmt.Sprintf("≥ %.2g: %s", least, word(ratio >= least))
	}
	return ""
}

// rest are the values that say nothing of a ratio, by unit.
func (m result) rest() string {
	var list []string
	for _, unit := range slices.Sorted(maps.Keys(m.Metrics)) {
		switch unit {
		case turns.Median, turns.Least, turns.Most, turns.Rounds, turns.AtMost, turns.AtLeast:
		default:
			list = append(list, fmt.Sprintf("%s %s", figure(m.Metrics[unit]), unit))
		}
	}
	return strings.Join(list, ", ")
}

// figure is a number with as many digits as it deserves.
func figure(n float64) string {
	if n >= 100 || n == 0 {
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
	return strconv.FormatFloat(n, 'g', 3, 64)
}

// lastRun heads the section of docs/performance.md that recordIn writes.
const lastRun = "## The last run\n"

// recordIn puts the text at the end of a file, in the place of what stood there.
func recordIn(file, text string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, _, found := bytes.Cut(page, []byte(lastRun))
	if !found {
		return errors.New(file + " has no section for the last run")
	}
	return os.WriteFile(file, slices.Concat(before, []byte(lastRun), []byte(text)), 0o644)
}
