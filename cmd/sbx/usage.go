package main

import (
	"cmp"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/internal/slip"
)

// try is a command line that somebody may have meant.
type try struct {
	line string // without "sbx"
	does string // "": what the verb's own line of help says
}

// meant are the words that people's fingers know from other programs, and what
// does the same here.
var meant = map[string][]try{
	"list": {{"ps", ""}},
	"ls":   {{"ps", ""}},
	"top":  {{"ps", ""}},
	"stats": {
		{"ps", ""},
		{"inspect NAME", ""},
	},

	"start":  {{"up PROFILE", ""}},
	"create": {{"up PROFILE", ""}},
	"launch": {{"up PROFILE", ""}},
	"deploy": {{"up PROFILE", ""}, {"apply PROFILE", ""}},
	"update": {{"up PROFILE", ""}, {"plan PROFILE", ""}},

	"rm":      {{"down NAME", ""}},
	"remove":  {{"down NAME", ""}},
	"delete":  {{"down NAME", ""}},
	"destroy": {{"down NAME", ""}},
	"pause":   {{"stop NAME", ""}},
	"prune":   {{"apply --prune PROFILES", "Also take down what none of the profiles is of."}, {"cache clear", "Remove the kept kernels and initrds."}},
	"clean":   {{"down NAME", ""}, {"cache clear", "Remove the kept kernels and initrds."}},

	"status": {{"ps", ""}, {"inspect NAME", ""}},
	"show":   {{"inspect NAME", ""}, {"export PROFILE", ""}},
	"info":   {{"inspect NAME", ""}, {"doctor", ""}},
	"log":    {{"logs NAME", ""}},

	"shell":   shells,
	"sh":      shells,
	"bash":    shells,
	"enter":   shells,
	"login":   shells,
	"ssh":     shells,
	"console": shells,
	"connect": shells,
	"execute": {{"exec NAME -- COMMAND", ""}},
	"copy":    {{"cp FROM TO", ""}},

	"build":    {{"compile PROFILE", ""}},
	"convert":  {{"compile PROFILE", ""}, {"export PROFILE", ""}},
	"check":    {{"vet PROFILE", ""}, {"doctor", ""}},
	"validate": {{"vet PROFILE", ""}},
	"verify":   {{"vet PROFILE", ""}, {"test PROFILE", ""}},
	"lint":     {{"vet PROFILE", ""}},
	"format":   {{"fmt FILE", ""}},
	"new":      {{"init NAME", ""}},
	"trace":    {{"explain PROFILE PACKET", ""}},
	"why":      {{"explain PROFILE PACKET", ""}},
	"dropped":  {{"denied NAME", ""}, {"explain PROFILE PACKET", ""}},
	"blocked":  {{"denied NAME", ""}, {"explain PROFILE PACKET", ""}},
	"diff":     {{"review OLD NEW", ""}, {"plan PROFILES", ""}, {"drift", ""}},
	"compare":  {{"review OLD NEW", ""}},

	"setup": {{"doctor", ""}},
	"docs":  {{"help", ""}},

	"complete": {{"completion SHELL", ""}},
}

var shells = []try{
	{"run -t -- /bin/bash", "A shell in a sandbox of its own."},
	{"exec -t NAME -- /bin/bash", "A shell in a sandbox that runs."},
}

// verbField is the field of cli that is a verb.
func verbField(verb string) (reflect.StructField, bool) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[cli]()) {
		if cmp.Or(field.Tag.Get("name"), strings.ToLower(field.Name)) == verb {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

// people lists the verbs that are meant for people.
func people() (verbs []string) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[cli]()) {
		if _, hidden := field.Tag.Lookup("hidden"); !hidden {
			verbs = append(verbs, strings.ToLower(field.Name))
		}
	}
	return verbs
}

// knownVerb reports whether a command line begins with a verb of sbx's; one that
// asks for help needs none.
func knownVerb(args []string) bool {
	_, ok := verbField(args[0])
	return ok || args[0] == "-h" || args[0] == "--help"
}

// printUnknown says that a command line begins with no verb, and what may have
// been meant.
func printUnknown(w io.Writer, args []string) {
	word := args[0]
	switch {
	case word == "--" || strings.ContainsRune(word, filepath.Separator) && !isProfile(word):
		command := strings.Join(slices.DeleteFunc(slices.Clone(args), func(s string) bool { return s == "--" }), " ")
		say.Fprintf(w, "sbx: a verb is missing.")
		printTries(w, []try{{"run -- " + printable(command), ""}})
	case strings.HasPrefix(word, "-"):
		say.Fprintf(w, "sbx: %s stands where a verb is wanted; flags come after it: sbx VERB %s\n", printable(word), printable(word))
	default:
		say.Fprintf(w, "sbx: there is no verb %q.", printable(word))
		printTries(w, triesFor(word))
	}
	say.Fprintf(w, "Run \"sbx --help\" for all verbs.\n")
}

// triesFor are the command lines that a word may stand for.
func triesFor(word string) []try {
	if list, ok := meant[strings.ToLower(word)]; ok {
		return list
	}
	if isProfile(word) {
		return []try{{"up " + word, ""}, {"run " + word, ""}}
	}
	slips := 2
	if len(word) < 5 {
		slips = 1
	}
	if verb := slip.Nearest(word, people(), slips); verb != "" {
		return []try{{verb, ""}}
	}
	return meant[slip.Nearest(word, slices.Sorted(maps.Keys(meant)), slips)]
}

// isProfile reports whether a word names a profile, or a folder that may hold some.
func isProfile(word string) bool {
	path, shipped := verb.FindProfile(word)
	info, err := os.Stat(path)
	return shipped || err == nil && (info.IsDir() || filepath.Ext(path) == ".cue")
}

func printTries(w io.Writer, tries []try) {
	if len(tries) == 0 {
		say.Fprintln(w)
		return
	}
	say.Fprintf(w, " Perhaps:\n\n")
	widest := 0
	for _, t := range tries {
		widest = max(widest, len(t.line))
	}
	for _, t := range tries {
		if t.does == "" {
			verb, _, _ := strings.Cut(t.line, " ")
			field, _ := verbField(verb)
			t.does = field.Tag.Get("help")
		}
		say.Fprintf(w, "  sbx %-*s  %s\n", widest, t.line, t.does)
	}
	say.Fprintln(w)
}

// printable cuts what stands on a command line to what a message can hold, and
// what a terminal would take for an order to what it would show.
func printable(text string) string {
	const most = 40
	plain := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text))
	if len(plain) > most {
		return string(plain[:most]) + "…"
	}
	return string(plain)
}
