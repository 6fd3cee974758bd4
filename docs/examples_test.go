package docs_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// situations are what the examples of a verb take for granted, beyond what a
// project of profiles has.
var situations = map[string]string{
	"init":       "printf 'services: {site: {image: nginx}}\\n' >compose.yaml",
	"run":        "mkdir -p ~/src /srv/data; printf 'all:\\n\\techo made\\n' >~/src/Makefile",
	"exec":       "sbx up apache",
	"cp":         "sbx up apache; touch notes.txt",
	"logs":       "sbx up apache",
	"attach":     "sbx up apache",
	"wait":       "sbx up apache",
	"kill":       "sbx up apache",
	"reload":     "sbx up apache",
	"restart":    "sbx up apache",
	"view":       "printf 'package pdf\\n\\nimport \"github.com/sbx-dev/sbx/schema\"\\n\\nschema.#Desktop & {name: \"pdf\", backend: \"lxc\", run: argv: [\"/usr/bin/xlogo\"], display: {}}\\n' >pdf.cue && sbx up pdf.cue",
	"learn":      "sbx down apache || true",
	"stop":       "sbx up apache",
	"inspect":    "sbx up apache",
	"denied":     "sbx up apache",
	"ps":         "sbx up apache",
	"down":       "sbx up apache",
	"drift":      "sbx up apache",
	"plan":       "cp profiles/apache.cue .; rm web.cue",
	"apply":      "cp profiles/apache.cue .; rm web.cue",
	"vet":        "mkdir rules; printf 'package rules\\n\\nbackend: \"lxc\"\\n' >rules/rules.cue",
	"review":     "sed 's/, 443, 8443//' profiles/apache.cue >~/apache.cue",
	"test":       "printf 'package apache\\n\\ntests: open: always: in: tcp: [80]\\n' >profiles/apache_test.cue",
	"completion": "mkdir -p /etc/bash_completion.d ~/.config/fish/completions",
}

// notRun are the examples that no test can run, and why.
var notRun = map[string]string{
	"sbx man vet | man -l -":                                       "man pages through a program of its own package; TestManualPages has groff read them",
	"sbx man -o /usr/local/share/man/man1":                         "/usr/local is the machine's in a test host",
	"sbx view pdf":                                                 "a viewer needs somebody's screen; runtime's TestDisplay connects to that of the sandbox",
	`sbx view --viewer "xtigervncviewer -FullScreen" pdf`:          "the same",
	"sbx view --web pdf":                                           "a page until Ctrl-C; TestView opens one in a browser",
	"sbx run --display -- xterm":                                   "a viewer needs somebody's screen; TestRunDisplay gives it one",
	"sbx completion zsh >/usr/local/share/zsh/site-functions/_sbx": "/usr/local is the machine's in a test host",
}

// typed are the examples that have a terminal, and wait for what is typed there.
var typed = regexp.MustCompile(`^sbx (run|exec) -i?t `)

// goesOn are the examples that end with what they watch.
var goesOn = []string{
	"sbx attach apache",
	"sbx denied apache -f",
	"sbx logs apache -f --json | jq -r .text",
	`sbx wait apache || echo "apache ended with $?"`,
}

// tells are the verbs that end with another code than 0 to tell of something that
// may well be so in an example.
var tells = map[string]int{
	"doctor": 1, // a host without hardware virtualisation
	"denied": 1, // a kernel without connection tracking for bridges
	"review": 2, // something widened
}

// TestExamples runs the examples of every verb's help, each in a shell of its own,
// as somebody does who tries them one after the other.
func TestExamples(t *testing.T) {
	testhost.Need(t)
	env := append(os.Environ(), "PATH="+path(build(t)), "HOME="+home(t))
	serveExample(t)
	t.Cleanup(func() { shell(t, env, t.TempDir(), "sbx down apache pdf") })
	seen := 0
	for _, verb := range strings.Fields(output(t, env, "sbx", "__complete", "--", "")) {
		examples := examplesOf(output(t, env, "sbx", verb, "--help"))
		if len(examples) == 0 {
			t.Errorf("sbx %s --help has no example", verb)
		}
		t.Run(verb, func(t *testing.T) {
			dir := project(t, env)
			if code, out := shell(t, env, dir, situations[verb]); code != 0 {
				t.Fatalf("%s ends with %d:\n%s", situations[verb], code, out)
			}
			for _, example := range examples {
				if notRun[example] != "" {
					seen++
					continue
				}
				if strings.HasPrefix(situations[verb], "sbx up apache") { // which the one before may have ended
					shell(t, env, dir, "sbx up apache")
				}
				try(t, env, dir, verb, example)
			}
		})
	}
	if !t.Failed() && seen != len(notRun) {
		t.Errorf("%d of %d examples that cannot be run are there", seen, len(notRun))
	}
}

// try runs one example.
func try(t *testing.T, env []string, dir, verb, example string) {
	t.Helper()
	if slices.Contains(goesOn, example) {
		example = "timeout --preserve-status --signal INT 3 bash -c '" + strings.ReplaceAll(example, "'", `'\''`) + "' || [ $? = 130 ]"
	}
	if typed.MatchString(example) {
		example = "echo exit | script -qec '" + example + "' /dev/null"
	}
	code, out := shell(t, env, dir, example)
	if code != 0 && code != tells[verb] {
		t.Errorf("%s\nends with %d:\n%s", example, code, out)
	}
}

// home makes a home folder that others may search, as Debian's are by default: what
// the walls make of one that they may not is for the tests of runtime.
func home(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/srv", "home-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// project is a folder as a user of sbx has one: profiles in a git repository, in
// which a branch changes something.
func project(t *testing.T, env []string) string {
	t.Helper()
	dir := t.TempDir()
	code, out := shell(t, env, dir, `
		sbx init web
		mkdir profiles
		cp `+abs(t, "../profiles/apache.cue")+` profiles/
		git init -q -b main
		git config user.name reader
		git config user.email reader@example.org
		git add .
		git commit -qm 'the profiles'
		git checkout -qb change
		sed -i 's/tcp: .80, 443./tcp: [80, 443, 8443]/' profiles/apache.cue
		git commit -qam 'one port more'
	`)
	if code != 0 {
		t.Fatalf("%d: %s", code, out)
	}
	return dir
}

func abs(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// serveExample is example.org, of which a test host cannot know the real one: a web
// server at the host's end of libvirt's default network.
func serveExample(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "192.168.122.1:80")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "this is", r.Host)
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	hosts, err := os.ReadFile("/etc/hosts")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/etc/hosts", append(hosts, "192.168.122.1 example.org\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.WriteFile("/etc/hosts", hosts, 0o644) })
}

// shell runs a script in bash, which stops at the first failure, and gives its exit
// code and all that it printed.
func shell(t *testing.T, env []string, dir, script string) (int, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-eu", "-o", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out
}

// output is what a program prints that must not fail.
func output(t *testing.T, env []string, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	for _, v := range env { // where its own path stands
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			cmd.Path = filepath.Join(strings.SplitN(p, ":", 2)[0], argv[0])
		}
	}
	cmd.Err, cmd.Env = nil, env
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v", argv, err)
	}
	return string(out)
}

// examplesOf are the indented lines of a help from "Examples:" to its arguments and
// flags; a line that ends in a backslash goes on, and what "#" begins is left out.
func examplesOf(help string) (examples []string) {
	_, help, _ = strings.Cut(help, "\nExample")
	goesOn := false
	for line := range strings.Lines(help) {
		line = strings.TrimSuffix(line, "\n")
		if line == "Arguments:" || line == "Flags:" || line == "Commands:" {
			break
		}
		text, ok := strings.CutPrefix(line, "    ")
		if !ok {
			continue
		}
		text, _, _ = strings.Cut(text, "   #")
		text = strings.TrimSpace(text)
		if goesOn {
			examples[len(examples)-1] += "\n" + text
		} else {
			examples = append(examples, text)
		}
		goesOn = strings.HasSuffix(text, `\`)
	}
	return examples
}
