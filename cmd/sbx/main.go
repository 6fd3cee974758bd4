// Command sbx runs programs and services behind walls that are written down in
// a profile: it compiles the profile to libvirt XML, nwfilter rules and an
// initrd manifest, and applies them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/author"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/command"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/service"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// cli is the command line: one field a verb, one file a verb, by topic as
// `sbx --help` shows them.
type cli struct {
	Run  command.Run  `cmd:"" topic:"Run one command" help:"Run a command in a sandbox of its own that is gone afterwards."`
	Exec command.Exec `cmd:"" topic:"Run one command" help:"Run a command in a sandbox that runs."`
	View command.View `cmd:"" topic:"Run one command" help:"Show the screen of a sandbox that runs."`
	Cp   command.Cp   `cmd:"" topic:"Run one command" help:"Copy files into a sandbox or out of it."`

	Up      service.Up      `cmd:"" topic:"Services" help:"Make sandboxes run as their profiles say."`
	Down    service.Down    `cmd:"" topic:"Services" help:"Stop sandboxes and remove what was made for them."`
	Ps      service.Ps      `cmd:"" topic:"Services" help:"List the sandboxes."`
	Logs    service.Logs    `cmd:"" topic:"Services" help:"Show what the service of a sandbox wrote."`
	Attach  service.Attach  `cmd:"" topic:"Services" help:"Pass on what the service of a sandbox writes."`
	Wait    service.Wait    `cmd:"" topic:"Services" help:"Wait until the command of a sandbox has ended."`
	Stop    service.Stop    `cmd:"" topic:"Services" help:"Stop sandboxes and keep what was made for them."`
	Restart service.Restart `cmd:"" topic:"Services" help:"Restart the commands of sandboxes."`
	Reload  service.Reload  `cmd:"" topic:"Services" help:"Have services read their configuration anew."`
	Kill    service.Kill    `cmd:"" topic:"Services" help:"Send a signal to the commands of sandboxes."`
	Inspect service.Inspect `cmd:"" topic:"Services" help:"Show all that is known of a sandbox."`
	Denied  service.Denied  `cmd:"" topic:"Services" help:"Show what a sandbox's wall has dropped, and which rule that lacks."`

	Init    author.Init    `cmd:"" topic:"Write and review profiles" help:"Start a project of profiles."`
	Vet     author.Vet     `cmd:"" topic:"Write and review profiles" help:"Check profiles."`
	Explain author.Explain `cmd:"" topic:"Write and review profiles" help:"Say what becomes of a packet, and by which line of the profile."`
	Test    author.Test    `cmd:"" topic:"Write and review profiles" help:"Check what profiles claim about their firewalls."`
	Review  author.Review  `cmd:"" topic:"Write and review profiles" help:"Show what a change to profiles opens, and what it closes."`
	Learn   command.Learn  `cmd:"" topic:"Write and review profiles" help:"Watch a profile's command, and propose what the profile lacks."`
	Fmt     author.Fmt     `cmd:"" topic:"Write and review profiles" help:"Write CUE files in their usual form."`
	Export  author.Export  `cmd:"" topic:"Write and review profiles" help:"Print a profile with all defaults filled in."`
	Compile author.Compile `cmd:"" topic:"Write and review profiles" help:"Show what a profile becomes: libvirt XML, a firewall, a manifest."`
	Schema  author.Schema  `cmd:"" topic:"Write and review profiles" help:"Print the schema of profiles."`

	Plan  service.Plan  `cmd:"" topic:"Operate a folder of profiles" help:"Show what apply would change, and what each change takes."`
	Apply service.Apply `cmd:"" topic:"Operate a folder of profiles" help:"Make what runs the same as what the profiles say."`
	Drift service.Drift `cmd:"" topic:"Operate a folder of profiles" help:"Find what has been changed by hand."`

	Doctor service.Doctor `cmd:"" topic:"The host" help:"Check what of sbx works on this host, and how to mend the rest."`
	Cache  service.Cache  `cmd:"" topic:"The host" help:"See and clear what is kept of machines and profiles."`

	Help       helpCmd       `cmd:"" topic:"About sbx" help:"Explain a diagnostic's code, a field of profiles, or a verb."`
	Man        manCmd        `cmd:"" topic:"About sbx" help:"Print the manual pages."`
	Completion completionCmd `cmd:"" topic:"About sbx" help:"Print a shell's completion script."`
	Version    versionCmd    `cmd:"" topic:"About sbx" help:"Print sbx's version."`

	Keep     service.Keep    `cmd:"" hidden:""`
	Forward  service.Forward `cmd:"" hidden:""`
	Guard    service.Guard   `cmd:"" hidden:""`
	Hold     service.Hold    `cmd:"" hidden:""`
	Job      service.Job     `cmd:"" hidden:"" help:"Run a job once, to its end, as its timer does."`
	Tether   service.Tether  `cmd:"" hidden:""`
	Complete completeCmd     `cmd:"" name:"__complete" hidden:""`
}

// softMemory is how much sbx uses, in bytes, before it collects eagerly.
const softMemory = 256 << 20

func main() {
	debug.SetGCPercent(400) // most commands have ended before collecting is worth its time
	debug.SetMemoryLimit(softMemory)
	hushLibvirt()
	verb.Remember()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, leaveUnread)
	code := run(ctx, os.Stdin, os.Stdout, os.Stderr, os.Args[1:])
	stop()
	os.Exit(code)
}

// unreadTime is how long nobody may read what an sbx has to say that was told to end.
const unreadTime = 10 * time.Second

// leaveUnread ends an sbx that was told to end, and cannot because it writes what nobody
// reads. What it was about is as after any other end of it: the next command goes on from
// there.
func leaveUnread() {
	if verb.Unread(context.Background(), unreadTime, os.Stdout, os.Stderr) {
		os.Exit(128 + int(syscall.SIGTERM))
	}
}

// hushLibvirt has libvirt's library, where it is a whole driver in this process, keep its
// warnings to itself, unless somebody wants them: its errors are ours to tell.
func hushLibvirt() {
	const level = "LIBVIRT_DEBUG"
	if os.Getenv(level) == "" {
		os.Setenv(level, "error")
	}
}

// run is the whole of sbx as a function, so that tests can call it.
func run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, args []string) (code int) {
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "--version":
		args = []string{"version"}
	case !knownVerb(args):
		printUnknown(stderr, args)
		return verb.ExitError
	}
	parser, err := newParser(grammar(args), stdout, stderr, &code)
	if err != nil {
		panic(err) // a mistake in the cli struct's tags, which every test finds
	}
	defer func() {
		if r := recover(); r != nil && r != errKongExit {
			panic(r)
		}
	}()
	args, command := splitCommand(args)
	parsed, err := parser.Parse(args)
	if err != nil {
		say.Fprintf(stderr, "sbx %s: %v\n%sRun \"sbx %[1]s --help\" for its arguments and flags, with examples.\n", args[0], err, say.Own(hintCommand(args[0], command)))
		return usageCode(args[0])
	}
	err = parsed.Run(&verb.App{Ctx: ctx, Stdin: stdin, Stdout: stdout, Stderr: stderr, Command: command})
	return verb.Report(stderr, err)
}

// hintCommand says where a command's own flags stand, to somebody who gave them to
// sbx.
func hintCommand(verb string, command []string) string {
	if command != nil || verb != "run" && verb != "exec" {
		return ""
	}
	return fmt.Sprintf("If that was for the command: it stands behind \"--\", as in sbx %s -- COMMAND\n", map[string]string{"run": "run", "exec": "exec NAME"}[verb])
}

// usageCode is what a verb ends with whose arguments are wrong.
func usageCode(name string) int {
	if name == "run" || name == "exec" {
		return verb.ExitSbx // the others are their commands' own
	}
	return verb.ExitError
}

// splitCommand takes the command after "--" off a command line of `sbx run`, `sbx exec`
// or `sbx learn`, whose flags are not sbx's.
func splitCommand(args []string) (own, command []string) {
	i := slices.Index(args, "--")
	if i < 0 || !slices.Contains([]string{"run", "exec", "learn"}, args[0]) {
		return args, nil
	}
	return args[:i], args[i+1:]
}

// errKongExit unwinds the stack when kong has answered by itself (--help).
var errKongExit = errors.New("kong asked to exit")

// speakOfAll are what a command line begins with that is answered with all verbs.
var speakOfAll = []string{"-h", "--help", "man", "__complete"}

// grammar is the command line that args are parsed by: the verb alone where it does, because
// kong takes milliseconds to build them all.
func grammar(args []string) any {
	if slices.Contains(speakOfAll, args[0]) {
		return new(cli)
	}
	verb, _ := verbField(args[0])
	return reflect.New(reflect.StructOf([]reflect.StructField{verb})).Interface()
}

func newParser(grammar any, stdout, stderr io.Writer, code *int) (*kong.Kong, error) {
	return kong.New(grammar,
		kong.Name("sbx"),
		kong.KindMapper(reflect.String, exactString(asIs)),
		kong.NamedMapper("path", exactString(kong.ExpandPath)),
		kong.Description("Run programs and services behind walls that you can read, review and prove."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(c int) { *code = c; panic(errKongExit) }),
		kong.Help(printHelp),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
	)
}
