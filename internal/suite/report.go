package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// event is what go test -json says; see go doc test2json.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of what was built
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// key names a test.
type key struct{ pkg, test string }

// test is what a test has come to.
type test struct {
	key
	action  string    // pass, fail or skip; "" while it is at work
	begun   time.Time // zero while it waits for its turn
	elapsed time.Duration
	output  []string
	family  bool // it has subtests
	blamed  bool // a subtest of it has failed
}

// folder is what a package's tests have come to.
type folder struct {
	pkg     string
	elapsed time.Duration
	failed  bool
	count   [3]int // passed, failed, skipped
	output  []string
}

const (
	passed = iota
	failed
	skipped
)

// report gathers events and prints of them.
type report struct {
	out     io.Writer
	begun   time.Time
	tests   map[key]*test
	order   []*test // as they ended
	folders map[string]*folder
	builds  map[string][]string // what a build said
}

func newReport(out io.Writer, begun time.Time) *report {
	return &report{out: out, begun: begun, tests: make(map[key]*test), folders: make(map[string]*folder), builds: make(map[string][]string)}
}

// follow reads events of several go tests until their end. Where nothing has ended for
// a while, it says what is at work.
func (r *report) follow(quiet time.Duration, from ...io.Reader) {
	lines := make(chan []byte)
	var readers sync.WaitGroup
	for _, events := range from {
		readers.Go(func() { readLines(events, lines) })
	}
	go func() {
		readers.Wait()
		close(lines)
	}()
	still := time.NewTimer(quiet)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				return
			}
			var e event
			if json.Unmarshal(line, &e) != nil {
				r.line("%s", strings.TrimRight(string(line), "\n")) // not of a test
				continue
			}
			if r.take(e) {
				still.Reset(quiet)
			}
		case <-still.C:
			r.atWork()
			still.Reset(quiet)
		}
	}
}

// readLines sends each line that there is to read.
func readLines(from io.Reader, lines chan<- []byte) {
	in := bufio.NewReader(from)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			lines <- line
		}
		if err != nil {
			return
		}
	}
}

// take takes an event in, and reports whether it printed a line.
func (r *report) take(e event) bool {
	switch {
	case e.ImportPath != "":
		r.builds[e.ImportPath] = append(r.builds[e.ImportPath], e.Output)
		return false
	case e.Test == "":
		return r.takeFolder(e)
	}
	t := r.test(key{e.Package, e.Test})
	switch e.Action {
	case "run", "cont":
		t.begun = time.Now()
	case "pause":
		t.begun = time.Time{}
	case "output":
		if !isMark(e.Output) {
			t.output = append(t.output, e.Output)
		}
	case "pass", "fail", "skip":
		t.action, t.elapsed = e.Action, seconds(e.Elapsed)
		return r.ended(t)
	}
	return false
}

func (r *report) test(k key) *test {
	t := r.tests[k]
	if t == nil {
		t = &test{key: k}
		r.tests[k] = t
		if parent := r.parent(t); parent != nil {
			parent.family = true
		}
	}
	return t
}

// parent is the test that t is a subtest of, or nil.
func (r *report) parent(t *test) *test {
	i := strings.LastIndexByte(t.test, '/')
	if i < 0 {
		return nil
	}
	return r.test(key{t.pkg, t.test[:i]})
}

// ended counts a test, and prints it where it is not a part of another or failed.
func (r *report) ended(t *test) bool {
	r.order = append(r.order, t)
	f := r.folder(t.pkg)
	counts := !t.family
	switch t.action {
	case "fail":
		if parent := r.parent(t); parent != nil {
			parent.blamed = true
		}
		counts = !t.blamed
		if counts {
			f.count[failed]++
		}
	case "skip":
		if counts {
			f.count[skipped]++
		}
	default:
		if counts {
			f.count[passed]++
		}
	}
	if t.action == "pass" {
		t.output = nil
		if strings.Contains(t.test, "/") {
			return false
		}
	}
	r.line("%-4s %7.1fs  %s %s", t.action, t.elapsed.Seconds(), short(t.pkg), t.test)
	if t.action == "fail" {
		r.print(t.output)
	}
	return true
}

// isMark reports whether a line of output only says where a test begins or ends.
func isMark(line string) bool {
	line = strings.TrimLeft(line, " ")
	return strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ")
}

func (r *report) folder(pkg string) *folder {
	f := r.folders[pkg]
	if f == nil {
		f = &folder{pkg: pkg}
		r.folders[pkg] = f
	}
	return f
}

func (r *report) takeFolder(e event) bool {
	f := r.folder(e.Package)
	switch e.Action {
	case "output":
		f.output = append(f.output, e.Output)
		return false
	case "pass", "fail", "skip":
	default:
		return false
	}
	f.elapsed = seconds(e.Elapsed)
	if f.failed = e.Action == "fail"; f.failed {
		f.output = append(r.builds[e.FailedBuild], f.output...)
		r.cutShort(f.pkg)
	}
	if f.failed && f.count[failed] == 0 { // it was not built, or ended before its tests
		f.count[failed]++
		r.line("fail %7.1fs  %s", f.elapsed.Seconds(), short(f.pkg))
		r.print(f.output)
		return true
	}
	if f.count != [3]int{} {
		r.line("done %7.1fs  %s: %s", f.elapsed.Seconds(), short(f.pkg), sum(f.count))
	}
	return true
}

// cutShort ends the tests of a package that were at work when it failed: it took
// longer than it may, for instance.
func (r *report) cutShort(pkg string) {
	for _, t := range r.working() {
		if t.pkg == pkg {
			t.action, t.elapsed = "fail", time.Since(t.begun)
			r.ended(t)
		}
	}
}

// working are the tests that have begun and not ended.
func (r *report) working() []*test {
	all := sorted(r.tests, func(a, b *test) int { return a.begun.Compare(b.begun) })
	return slices.DeleteFunc(all, func(t *test) bool { return t.action != "" || t.family || t.begun.IsZero() })
}

// atWork says which tests are at work.
func (r *report) atWork() {
	for _, t := range r.working() {
		r.line("at work %4.0fs  %s %s", time.Since(t.begun).Seconds(), short(t.pkg), t.test)
	}
}

// finish prints what failed once more, and the tables; it reports whether the run
// is good.
func (r *report) finish() bool {
	var total [3]int
	for _, f := range r.folders {
		for i := range total {
			total[i] += f.count[i]
		}
	}
	r.slowest(20)
	r.table()
	r.faults()
	fmt.Fprintf(r.out, "\n%s\n", sum(total))
	return total[failed] == 0 && total[skipped] == 0 && total[passed] > 0
}

func (r *report) slowest(n int) {
	fmt.Fprintf(r.out, "\nThe slowest tests:\n")
	list := slices.DeleteFunc(slices.Clone(r.order), func(t *test) bool { return t.family })
	slices.SortStableFunc(list, func(a, b *test) int { return cmp.Compare(b.elapsed, a.elapsed) })
	for _, t := range list[:min(n, len(list))] {
		fmt.Fprintf(r.out, "%7.1fs  %s %s\n", t.elapsed.Seconds(), short(t.pkg), t.test)
	}
}

func (r *report) table() {
	took := time.Since(r.begun)
	fmt.Fprintf(r.out, "\nThe folders, %s in all, of which %d %% of the processors' time was used:\n", took.Round(time.Second), used(took))
	for _, f := range sorted(r.folders, func(a, b *folder) int { return cmp.Compare(b.elapsed, a.elapsed) }) {
		if f.count != [3]int{} {
			fmt.Fprintf(r.out, "%7.1fs  %-28s %s\n", f.elapsed.Seconds(), short(f.pkg), sum(f.count))
		}
	}
}

// used is the share of a time that the processors of this machine have worked for what
// go test has started and waited for, hosts with their machines among it: where it is
// low, tests wait.
func used(of time.Duration) int64 {
	var u syscall.Rusage
	if of <= 0 || syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u) != nil {
		return 0
	}
	return (u.Utime.Nano() + u.Stime.Nano()) * 100 / (of.Nanoseconds() * int64(runtime.NumCPU()))
}

// faults repeats what failed and what was skipped, with what it said.
func (r *report) faults() {
	for _, t := range r.order {
		if t.action == "fail" && (!t.blamed || len(t.output) > 0) || t.action == "skip" && !t.family {
			fmt.Fprintf(r.out, "\n%s: %s %s\n", t.action, short(t.pkg), t.test)
			r.print(t.output)
		}
	}
	for _, f := range sorted(r.folders, func(a, b *folder) int { return cmp.Compare(a.pkg, b.pkg) }) {
		if f.failed {
			fmt.Fprintf(r.out, "\nfail: %s\n", short(f.pkg))
			r.print(f.output)
		}
	}
}

// line prints a line with the time since the run began.
func (r *report) line(format string, args ...any) {
	fmt.Fprintf(r.out, "%6.0fs  %s\n", time.Since(r.begun).Seconds(), fmt.Sprintf(format, args...))
}

func (r *report) print(output []string) {
	for _, text := range output {
		fmt.Fprintf(r.out, "    %s\n", strings.TrimRight(text, "\n"))
	}
}

func sum(n [3]int) string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", n[passed], n[failed], n[skipped])
}

// short is a package's folder.
func short(pkg string) string { return strings.TrimPrefix(pkg, "github.com/sbx-dev/sbx/") }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func sorted[K comparable, V any](m map[K]V, order func(a, b V) int) []V {
	list := make([]V, 0, len(m))
	for _, v := range m {
		list = append(list, v)
	}
	slices.SortFunc(list, order)
	return list
}
