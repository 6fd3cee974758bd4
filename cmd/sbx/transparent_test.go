package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// transparent sees to it that a command gets what it was given, byte for byte, and
// takes of standard input what it reads.
func transparent(t *testing.T, sandbox string) {
	const name = "caf\xe9\xff"
	many := slices.Repeat([]string{"x1234567"}, 20_000) // xargs' usual batches are 128 KiB
	long := strings.Repeat("x", 128<<10)
	exec := []string{"exec", sandbox, "--"}
	for what, c := range map[string]struct {
		flags, command []string
		want           result
	}{
		"an argument":           {nil, []string{"printf", "%s", name}, result{0, name, ""}},
		"a variable":            {[]string{"-e", "A=" + name}, []string{"sh", "-c", `printf %s "$A"`}, result{0, name, ""}},
		"a variable's name":     {[]string{"-e", name + "=1"}, []string{"printenv", name}, result{0, "1\n", ""}},
		"a folder":              {[]string{"-w", "/" + name}, []string{"pwd"}, result{125, "", "sbx: the working directory /caf\\xe9\\xff does not exist inside the sandbox\n"}},
		"a program":             {nil, []string{"/" + name}, result{127, "", "sbx: /caf\\xe9\\xff does not exist inside the sandbox\n"}},
		"many arguments":        {nil, append([]string{"sh", "-c", "echo $#", "sh"}, many...), result{0, "20000\n", ""}},
		"an argument too long":  {nil, []string{"/usr/bin/true", long}, result{126, "", "sbx: cannot execute /usr/bin/true: the argument list is too long: "}},
		"too much of arguments": {nil, slices.Concat([]string{"/usr/bin/true"}, slices.Repeat(many, 20)), result{126, "", "sbx: cannot execute /usr/bin/true: the argument list is too long: "}},
		"no standard input":     {[]string{"-n"}, []string{"cat"}, result{}},
		"fingers that know -it": {[]string{"-it"}, []string{"tty"}, result{0, "/dev/pts/", ""}},
	} {
		t.Run(what, func(t *testing.T) {
			args := append(append([]string{"exec"}, c.flags...), sandbox, "--")
			got := call(t, strings.NewReader("input"), append(args, c.command...)...)
			if got.code != c.want.code || !strings.Contains(got.stdout, c.want.stdout) || !strings.HasPrefix(got.stderr, c.want.stderr) || c.want.stderr == "" && got.stderr != "" {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
	t.Run("without a --", func(t *testing.T) {
		for _, line := range [][]string{
			{"exec", sandbox, "printf", "%s.", "-e", "--", "-u"},
			{"exec", sandbox, "--", "printf", "%s.", "-e", "--", "-u"},
		} {
			if got, want := call(t, nil, line...), (result{0, "-e.--.-u.", ""}); got != want {
				t.Errorf("%q: got %+v, want %+v", line, got, want)
			}
		}
	})
	t.Run("a file's name", func(t *testing.T) {
		dir := t.TempDir()
		here, back := filepath.Join(dir, name), filepath.Join(dir, "back\xfe")
		if err := os.WriteFile(here, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, line := range [][]string{
			{"cp", here, sandbox + ":/tmp"},
			{"exec", sandbox, "--", "mv", "/tmp/" + name, "/tmp/moved\xfd"},
			{"cp", sandbox + ":/tmp/moved\xfd", back},
		} {
			if got := call(t, nil, line...); got != (result{}) {
				t.Fatalf("%q: %+v", line, got)
			}
		}
		if data, err := os.ReadFile(back); err != nil || string(data) != "content" {
			t.Errorf("%q came back, %v", data, err)
		}
	})
	t.Run("what is not read stays", func(t *testing.T) {
		for _, in := range []*os.File{pipeOf(t, "first\nsecond\n"), openedFile(t, "first\nsecond\n")} {
			got := call(t, in, append(exec, "sh", "-c", "read line; echo $line")...)
			if want := (result{0, "first\n", ""}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if got := call(t, in, append(exec, "true")...); got != (result{}) {
				t.Errorf("got %+v", got)
			}
			if rest, err := io.ReadAll(in); err != nil || string(rest) != "second\n" {
				t.Errorf("%q is left, %v", rest, err)
			}
		}
	})
	t.Run("all of a large pipe", func(t *testing.T) {
		got := call(t, pipeOf(t, strings.Repeat("0123456789abcde\n", 1<<18)), append(exec, "wc", "-c")...)
		if want := (result{0, fmt.Sprintln(4 << 20), ""}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// pipeOf is a pipe that the text comes out of.
func pipeOf(t *testing.T, text string) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	go func() {
		defer w.Close()
		io.WriteString(w, text)
	}()
	return r
}

// openedFile is a file that holds the text.
func openedFile(t *testing.T, text string) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestACommandThatWasTakenForAProfile is for fingers that leave "--" out.
func TestACommandThatWasTakenForAProfile(t *testing.T) {
	for line, want := range map[string]string{
		"run ls":      "sbx: there is no profile ls: to run a command without one, put \"--\" before it, as in sbx run -- ls\n",
		"run ls /tmp": "sbx: there is no profile ls: to run a command without one, put \"--\" before it, as in sbx run -- ls /tmp\n",
		"run ls -l":   "If that was for the command: it stands behind \"--\", as in sbx run -- COMMAND\n",
		"exec":        "If that was for the command: it stands behind \"--\", as in sbx exec NAME -- COMMAND\n",
		"exec name":   "sbx: no command is given: sbx exec NAME -- COMMAND\n",
	} {
		got := call(t, nil, strings.Fields(line)...)
		if got.code != verb.ExitSbx || !strings.Contains(got.stderr, want) {
			t.Errorf("sbx %s: got %+v, want %q", line, got, want)
		}
	}
}

// TestAProfileHoldsText refuses flags whose bytes a profile would change, and takes
// a profile's path as it is.
func TestAProfileHoldsText(t *testing.T) {
	for flags, want := range map[string]string{
		"--ro /\xff:/a":        `mounts."/a".host: "/\xff"`,
		"--rw /a:/\xff":        `mounts: "/\xff"`,
		"--tmpfs /\xff":        `mounts: "/\xff"`,
		"--expose /\xff":       `expose[3]: "/\xff"`,
		"-u \xff":              `run.user: "\xff"`,
		"--print -e A=\xff":    `run.env.A: "\xff"`,
		"--print -w /\xff":     `run.workdir: "/\xff"`,
		"--print -- a \xff":    `run.argv[1]: "\xff"`,
		"--name \xff":          `name: "\xff"`,
		"--network \xff":       `network.attach: "\xff"`,
		"-b kvm --kernel \xff": `machine.kernel: "`,
	} {
		got := call(t, nil, append([]string{"run"}, strings.Fields(flags)...)...)
		if got.code != verb.ExitSbx || !strings.HasPrefix(got.stderr, "sbx: "+want) || !strings.HasSuffix(got.stderr, "\" is not UTF-8, and a profile is text: it cannot name this\n") {
			t.Errorf("%q: got %+v, want %s", flags, got, want)
		}
	}
	dir := filepath.Join(t.TempDir(), "d\xff")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../profiles/apache.cue")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "apache.cue")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := call(t, nil, "vet", file), (result{0, "ok: 1 profile\n", ""}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if err := os.Rename(file, filepath.Join(dir, "\xff.cue")); err != nil {
		t.Fatal(err)
	}
	got := call(t, nil, "vet", filepath.Join(dir, "\xff.cue"))
	if want := "\"\\xff.cue\" cannot be read: its name is not UTF-8, as the names of CUE files are\n"; got.code != verb.ExitError || !strings.HasSuffix(got.stderr, want) {
		t.Errorf("got %+v, want %q", got, want)
	}
}
