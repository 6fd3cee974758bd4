package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// runSbx runs a command line and gives its exit code and output.
func runSbx(t *testing.T, args ...string) (code int, stdout string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), strings.NewReader(""), &out, &errs, args)
	if code != verb.ExitOK {
		t.Logf("sbx %v: %s", args, errs.String())
	}
	return code, out.String()
}

func TestCompletion(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("mine.cue", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		words []string
		want  []string // all of them
		not   string
	}{
		{[]string{""}, []string{"vet", "compile", "up", "help"}, "__complete"},
		{[]string{"comp"}, []string{"compile", "completion"}, "vet"},
		{[]string{"compile", ""}, []string{"apache", "shell", "mine"}, ""},
		{[]string{"compile", "ap"}, []string{"apache"}, "shell"},
		{[]string{"vet", "--f"}, []string{"--format"}, "--tag"},
		{[]string{"vet", "--format", ""}, []string{"text", "json", "sarif", "github"}, ""},
		{[]string{"vet", "--format", "sarif", "sh"}, []string{"shell"}, "apache"},
		{[]string{"help", "dow"}, []string{"down"}, ""},
		{[]string{"help", "network.al"}, []string{"network.allow", "network.allow.from"}, "up"},
		{[]string{"completion", ""}, []string{"bash", "zsh", "fish"}, ""},
	} {
		_, out := runSbx(t, append([]string{"__complete", "--"}, c.words...)...)
		got := strings.Fields(out)
		for _, w := range c.want {
			if !slices.Contains(got, w) {
				t.Errorf("%q: no %q in %q", c.words, w, got)
			}
		}
		if c.not != "" && slices.Contains(got, c.not) {
			t.Errorf("%q: %q is among %q", c.words, c.not, got)
		}
	}
}

// bash itself completes with the script that sbx prints.
func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	dir := t.TempDir()
	bin, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(bin, filepath.Join(dir, "sbx")); err != nil {
		t.Fatal(err)
	}
	_, script := runSbx(t, "completion", "bash")
	cmd := exec.Command(bash, "--norc", "-c", script+`
COMP_WORDS=(sbx vet --format sa); COMP_CWORD=3; _sbx; echo "${COMPREPLY[@]}"
COMP_WORDS=(sbx compile apac); COMP_CWORD=2; _sbx; echo "${COMPREPLY[@]}"`)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "sarif\napache\n" {
		t.Errorf("%v: %q", err, out)
	}
}

func TestOtherShellsScriptsParse(t *testing.T) {
	for _, shell := range []string{"zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skip(shell + " is not installed")
			}
			_, script := runSbx(t, "completion", shell)
			cmd := exec.Command(path, "-n")
			cmd.Stdin = strings.NewReader(script)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// Every verb has a manual page with its flags and without a complaint of groff.
func TestManualPages(t *testing.T) {
	dir := t.TempDir()
	if code, _ := runSbx(t, "man", "-o", dir); code != verb.ExitOK {
		t.Fatal("sbx man failed")
	}
	_, help := runSbx(t, "__complete", "--", "")
	for verb := range strings.FieldsSeq(help) {
		page, err := os.ReadFile(filepath.Join(dir, "sbx-"+verb+".1"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, part := range []string{".SH NAME\n", ".SH SYNOPSIS\n", ".SH FLAGS\n", `\-\-help`} {
			if !bytes.Contains(page, []byte(part)) {
				t.Errorf("the page of %s has no %q", verb, part)
			}
		}
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not installed")
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		out, err := exec.Command(groff, "-k", "-man", "-ww", "-z", p).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v %s", filepath.Base(p), err, out)
		}
	}
}
