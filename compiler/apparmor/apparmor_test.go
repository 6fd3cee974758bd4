package apparmor_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler/apparmor"
)

// Whatever a path is made of, the automaton that the parser makes of its rule takes
// that path and no other.
func TestAPathMeansItself(t *testing.T) {
	every := "/"
	for c := 1; c < 256; c++ {
		every += string([]byte{byte(c)})
	}
	for _, path := range []string{
		every,
		"/srv/plain", "/a b", `/a"b`, `/a\b`, `/a\\`, "/a*b", "/a**", "/a?b", "/a[b]c", "/{a,b}", "/@{HOME}/x", "/a^b", "/a$",
		"/a#b", "/a,", "/a\nb", "/a\x01\x7f", "/ä/\xff", `/\x2a`, `/\052`, "/a(b|c)+", "/a rw,\n}\nprofile y {",
	} {
		t.Run(strconv.Quote(path), func(t *testing.T) {
			rule := automatonOf(t, apparmor.Path(path), nil)
			bound := automatonOf(t, apparmor.Variable("v").Pattern(), map[apparmor.Variable]string{"v": path})
			for _, a := range []automaton{rule, bound} {
				if !a.accepts(path) {
					t.Errorf("the path is not in its own pattern %s", apparmor.Path(path))
				}
				if got := a.edges(); got != len(path) {
					t.Errorf("%d edges, and %d are those of one path", got, len(path))
				}
			}
		})
	}
}

func TestATreeIsItsFolderAndWhatIsBelow(t *testing.T) {
	a := automatonOf(t, apparmor.Path("/srv/x").Tree(), nil)
	for path, want := range map[string]bool{"/srv/x/": true, "/srv/x/a": true, "/srv/x/a/b": true, "/srv/x": false, "/srv/xy": false, "/srv/": false} {
		if got := a.accepts(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// automaton is what the kernel matches paths with: for each state where a byte
// leads, where all others do, and whether a path may end there.
type automaton struct {
	first string
	next  map[string]map[byte]string
	other map[string]string
	ends  map[string]bool
}

var (
	startLine = regexp.MustCompile(`^\{(\d+)\} <==`)
	stateLine = regexp.MustCompile(`^\{(\d+)\} perms: `)
	endLine   = regexp.MustCompile(`^\{(\d+)\} \(0x `)
	edgeLine  = regexp.MustCompile(`^ +.*0x([0-9a-f]+) -> \{(\d+)\}`)
	otherLine = regexp.MustCompile(`^ +\[[^]]*\] -> \{(\d+)\}`)
)

// automatonOf has the parser compile a profile with one rule.
func automatonOf(t *testing.T, p apparmor.Pattern, values map[apparmor.Variable]string) automaton {
	t.Helper()
	parser, err := exec.LookPath("apparmor_parser")
	if err != nil {
		t.Skip("needs apparmor_parser, of the package apparmor")
	}
	profile := apparmor.New("test")
	profile.File("r", p)
	compile := exec.Command(parser, "-Q", "-K", "-S", "-O", "no-minimize", "-D", "dfa-states")
	compile.Stdin = bytes.NewReader(apparmor.Bind(profile.Encode(), values))
	var states bytes.Buffer
	compile.Stderr = &states
	if err := compile.Run(); err != nil {
		t.Fatalf("%v\n%s", err, states.Bytes())
	}
	return readAutomaton(t, &states)
}

func readAutomaton(t *testing.T, dump *bytes.Buffer) automaton {
	t.Helper()
	a := automaton{next: map[string]map[byte]string{}, other: map[string]string{}, ends: map[string]bool{}}
	lines, state := bufio.NewScanner(dump), ""
	for lines.Scan() {
		line := lines.Text()
		switch m := []string(nil); {
		case match(&m, startLine, line) && a.first == "":
			a.first = m[1]
		case match(&m, endLine, line):
			a.ends[m[1]] = true
		case match(&m, stateLine, line):
			state = m[1]
			a.next[state] = map[byte]string{}
		case state != "" && match(&m, edgeLine, line):
			c, err := strconv.ParseUint(m[1], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			a.next[state][byte(c)] = m[2]
		case state != "" && match(&m, otherLine, line):
			a.other[state] = m[1]
		case strings.HasPrefix(line, "DFA") && state != "":
			return a
		}
	}
	if a.first == "" {
		t.Fatal(fmt.Sprint("no automaton in the parser's dump", a))
	}
	return a
}

func match(m *[]string, re *regexp.Regexp, line string) bool {
	*m = re.FindStringSubmatch(line)
	return *m != nil
}

func (a automaton) edges() (n int) {
	for _, edges := range a.next {
		n += len(edges)
	}
	return n + len(a.other)
}

func (a automaton) accepts(path string) bool {
	state := a.first
	for _, c := range []byte(path) {
		next, there := a.next[state][c]
		if !there {
			if next, there = a.other[state]; !there {
				return false
			}
		}
		state = next
	}
	return a.ends[state]
}
