package main

import (
	"bytes"
	"cmp"
	"context"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// Every verb's help fits a terminal of 80 columns and has an example, which the
// tests of the handbook run.
func TestHelpFits(t *testing.T) {
	example := regexp.MustCompile(`(?m)^Examples?:\n\n( {4}.*\n)+`)
	pages := [][]string{{"--help"}, {"cache", "list", "--help"}, {"cache", "clear", "--help"}}
	for _, verb := range people() {
		pages = append(pages, []string{verb, "--help"})
	}
	for _, args := range pages {
		code, help := runSbx(t, args...)
		if code != verb.ExitOK {
			t.Errorf("%q ends with %d", args, code)
		}
		for line := range strings.Lines(help) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
				t.Errorf("%q: more than 80 columns: %s", args, line)
			}
		}
		if len(args) == 2 {
			if !example.MatchString(help) || !strings.Contains(example.FindString(help), "sbx "+args[0]) {
				t.Errorf("%q has no example", args)
			}
		}
	}
}

// A verb that is parsed alone has the help that it has among all.
func TestAVerbAloneIsAsAmongAll(t *testing.T) {
	alone := 0
	for field := range reflect.TypeFor[cli]().Fields() {
		verb := cmp.Or(field.Tag.Get("name"), strings.ToLower(field.Name))
		grammar := grammar([]string{verb})
		if _, all := grammar.(*cli); !all {
			alone++
		}
		if got, want := helpBy(t, grammar, verb), helpBy(t, new(cli), verb); got != want || want == "" {
			t.Errorf("%s alone:\n%s\namong all:\n%s", verb, got, want)
		}
	}
	if most := reflect.TypeFor[cli]().NumField() / 2; alone < most {
		t.Errorf("%d verbs are parsed alone", alone)
	}
}

// helpBy is a verb's help as a grammar has it.
func helpBy(t *testing.T, grammar any, verb string) string {
	t.Helper()
	var out bytes.Buffer
	parser, err := newParser(grammar, &out, &out, new(int))
	if err != nil {
		t.Fatalf("%s: %v", verb, err)
	}
	func() {
		defer func() {
			if r := recover(); r != nil && r != errKongExit {
				panic(r)
			}
		}()
		_, err = parser.Parse([]string{verb, "--help"})
	}()
	if err != nil {
		t.Errorf("%s --help: %v", verb, err)
	}
	return out.String()
}

// Nothing to do is asked for: sbx shows what there is, all of it under a topic.
func TestNoVerb(t *testing.T) {
	code, without := runSbx(t)
	_, help := runSbx(t, "--help")
	if code != verb.ExitOK || without != help {
		t.Errorf("sbx without a verb ends with %d and prints:\n%s", code, without)
	}
	for _, verb := range people() {
		field, _ := verbField(verb)
		if topic := field.Tag.Get("topic"); topic == "" || !strings.Contains(help, "\n"+topic+"\n") {
			t.Errorf("%s has no topic", verb)
		}
		if !regexp.MustCompile(`(?m)^  ` + verb + ` +\S`).MatchString(help) {
			t.Errorf("the help does not name %s", verb)
		}
	}
	if strings.Contains(help, "tether") || strings.Contains(help, "__complete") {
		t.Error("the help names what is not for people")
	}
}

// What fingers know from elsewhere, and what they slip on, leads to the verb.
func TestUnknownVerbs(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string // a line that sbx proposes; "": none
	}{
		{[]string{"list"}, "sbx ps "},
		{[]string{"ls"}, "sbx ps "},
		{[]string{"LS"}, "sbx ps "},
		{[]string{"rm", "web"}, "sbx down NAME "},
		{[]string{"delete", "web"}, "sbx down NAME "},
		{[]string{"shell"}, "sbx run -t -- /bin/bash "},
		{[]string{"enter", "web"}, "sbx exec -t NAME -- /bin/bash "},
		{[]string{"start", "web"}, "sbx up PROFILE "},
		{[]string{"status"}, "sbx inspect NAME "},
		{[]string{"build"}, "sbx compile PROFILE "},
		{[]string{"check"}, "sbx vet PROFILE "},
		{[]string{"validate"}, "sbx vet PROFILE "},
		{[]string{"vte"}, "sbx vet "},
		{[]string{"compil"}, "sbx compile "},
		{[]string{"rnu", "--", "ls"}, "sbx run "},
		{[]string{"docter"}, "sbx doctor "},
		{[]string{"lst"}, "sbx ps "},
		{[]string{"complete"}, "sbx completion SHELL "}, // no verb, but the name of a field of cli
		{[]string{"staus"}, "sbx inspect NAME "},
		{[]string{"apache"}, "sbx up apache "},
		{[]string{"--", "ls", "/"}, "sbx run -- ls / "},
		{[]string{"/bin/ls", "/"}, "sbx run -- /bin/ls / "},
		{[]string{"list", "--help"}, "sbx ps "},
		{[]string{"help", "list"}, "sbx ps "},
		{[]string{"qwertz"}, ""},
		{[]string{"-c", "qemu:///system", "ps"}, ""},
		{[]string{""}, ""},
		{[]string{"\x1b[2J"}, ""},
	} {
		var out, errs bytes.Buffer
		code := run(context.Background(), strings.NewReader(""), &out, &errs, c.args)
		said := errs.String()
		if code != verb.ExitError || out.Len() > 0 || !strings.HasSuffix(said, "Run \"sbx --help\" for all verbs.\n") {
			t.Errorf("%q ends with %d: %s%s", c.args, code, out.String(), said)
		}
		if c.want != "" && !strings.Contains(said, "\n  "+c.want) {
			t.Errorf("%q: no %q in:\n%s", c.args, c.want, said)
		}
		if c.want == "" && strings.Contains(said, "Perhaps") || strings.Contains(said, "\x1b") {
			t.Errorf("%q: %s", c.args, said)
		}
	}
}

// Each word's proposals are verbs of sbx's, and none of the words is a verb.
func TestMeantVerbsAreThere(t *testing.T) {
	for word, tries := range meant {
		if slices.Contains(people(), word) {
			t.Errorf("%s is a verb", word)
		}
		for _, try := range tries {
			if verb, _, _ := strings.Cut(try.line, " "); !slices.Contains(people(), verb) {
				t.Errorf("%s: %q is no verb", word, verb)
			}
		}
	}
}

// A wrong command line of a verb says whose it is and where its help stands, and
// that of run and exec cannot be taken for their commands' own end.
func TestWrongArguments(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"up"}, verb.ExitError, `Run "sbx up --help"`},
		{[]string{"run", "--memmory", "1GiB", "--", "true"}, verb.ExitSbx, `did you mean "--memory"?`},
		{[]string{"exec"}, verb.ExitSbx, `Run "sbx exec --help"`},
	} {
		var out, errs bytes.Buffer
		code := run(context.Background(), strings.NewReader(""), &out, &errs, c.args)
		if code != c.code || !strings.HasPrefix(errs.String(), "sbx "+c.args[0]+": ") || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%q ends with %d: %s", c.args, code, errs.String())
		}
	}
}

// Help knows the fields of profiles by their paths; a verb of the same name comes
// first.
func TestHelpOfFields(t *testing.T) {
	for _, c := range []struct{ topic, want string }{
		{"resources.pids", "default  1024\n"},
		{"users", "backend  lxc only\n"},
		{"network.allow", "    sbx help network.allow.from\n"},
		{`mounts."/run".tmpfs`, "mounts.PATH.tmpfs\n"},
		{"run", "Usage: sbx run "},
	} {
		if code, out := runSbx(t, "help", c.topic); code != verb.ExitOK || !strings.Contains(out, c.want) {
			t.Errorf("help %s ends with %d:\n%s", c.topic, code, out)
		}
	}
	if code, _ := runSbx(t, "help", "network.allw"); code != verb.ExitError {
		t.Errorf("help of a field that is not there ends with %d", code)
	}
}
