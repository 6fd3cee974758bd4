package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/learn"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/arrivals"
	"github.com/sbx-dev/sbx/internal/observed"
	"github.com/sbx-dev/sbx/internal/tracer"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/schema"
)

// Learn runs a profile and says how it could fit better.
type Learn struct {
	verb.ProfileFlags
	verb.HostFlags
	verb.RawFlag
	Profile string        `arg:"" help:"The profile: a file, a folder or a name."`
	Command []string      `arg:"" optional:"" passthrough:"partial" help:"A command of this host that uses the service, after \"--\": it is over when that has ended."`
	For     time.Duration `placeholder:"TIME" help:"Watch for so long: 30s, 5m. (default: until Ctrl-C, or until the command has ended)"`
	With    []string      `sep:"none" placeholder:"PATH" help:"Profiles of the sandboxes that the rules name."`
	JSON    bool          `help:"Print a JSON object."`
}

func (Learn) Help() string {
	return `Runs the profile's command in a sandbox of its own, behind all its walls, and watches
what it asks of the kernel while you use it: until Ctrl-C, for a time, or while a
command of yours runs. Then it proposes, as a diff of the profile, the least that
would open what was refused, and lists what is open and was not used. It changes
nothing, and while it runs no wall is lower than sbx up would make it. What the
service writes goes to standard error.

The sandbox goes by the profile's name, so that one that is up must be taken down
first. The command after "--" starts when the service listens, or after 30 seconds
or half of --for, whichever comes first.
The service is watched by ptrace(2) and packet(7), from the host, as root; docs/learn.md
says what these cannot see. That takes a container: a machine's profile is learned as
one where it has a tag for that (--tag backend=lxc).

Examples:
  sbx learn apache -- curl -s -m 5 http://10.83.0.80/
  sbx learn apache --for 5s --json >learned.json`
}

func (c *Learn) Run(a *verb.App) error {
	workload := a.CommandLine(c.Command)
	p, err := c.LoadOne(a, c.Profile)
	if err != nil {
		return err
	}
	switch {
	case c.For < 0:
		return fmt.Errorf("--for=%v: nothing can be watched for less than no time", c.For)
	case p.Backend.BootsKernel():
		return fmt.Errorf("%s: a machine's processes run under a kernel of its own and cannot be watched from here: learn from it as a container, whose walls mean the same (--tag backend=%s, where the profile has that tag)", p.Name, schema.LXC)
	}
	host := c.Open(a)
	defer host.Close()
	others, err := (&verb.ProfileFlags{}).Load(a, c.With...)
	if err != nil {
		return err
	}
	peers, err := c.Peers(a, append(others, p), host)
	if err != nil {
		return err
	}
	bundle, err := compiler.Compile(p, compiler.Options{Ephemeral: true, Peers: peers})
	if err != nil {
		return err
	}
	policies, err := compiler.Policies(p, peers)
	if err != nil {
		return err
	}
	l := lesson{a: a, profile: p, workload: workload, limit: c.For}
	l.stdout, l.stderr = c.Writers(&verb.App{Stdout: a.Stderr, Stderr: a.Stderr})
	record, err := l.run(host, bundle)
	if err != nil {
		return err
	}
	result := learn.From(learn.Case{
		Profile: p, Policies: policies, Record: record,
		Host:         os.DirFS("/").(fs.ReadLinkFS),
		Architecture: goruntime.GOARCH,
		Failed:       l.exit != nil && *l.exit != 0,
	})
	if c.JSON {
		return c.printJSON(result, l)
	}
	return c.print(a, p, result, l)
}

// printJSON prints all that was learned, and how.
func (c *Learn) printJSON(result learn.Result, l lesson) error {
	e := json.NewEncoder(l.a.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Name    string         `json:"name"`
		Backend schema.Backend `json:"backend"`
		Exit    *int           `json:"exit"` // null: it ran to the end of the watch
		Learned learn.Result   `json:"learned"`
		Unseen  []string       `json:"unseen"`
	}{l.profile.Name, l.profile.Backend, l.exit, result, unseen})
}

// unseen is what the watch cannot see.
var unseen = []string{
	"what the kernel checks without a system call of the program's, such as most capabilities",
	"packets of ICMP and SCTP, and datagrams that write(2) sends",
	"names: an address stands in a proposal where the program may have asked for a name",
	"what lies behind the first refusal that a program ends at: take what you agree with, and learn again",
	"what nobody did meanwhile: it is called not used",
}

// The time that a lesson gives others.
const (
	settleTime = 30 * time.Second // to a service, until it listens, before it is used
	leaveTime  = 15 * time.Second // to what is watched, to end after the sandbox has
)

// lesson is one time that a sandbox is watched.
type lesson struct {
	a              *verb.App
	profile        *schema.Profile
	workload       []string
	limit          time.Duration
	stdout, stderr io.Writer

	tracer  *tracer.Tracer
	packets *arrivals.Watcher
	exit    *int // how the command ended by itself
}

// run runs the sandbox for as long as the lesson takes, and gives what was seen.
func (l *lesson) run(host *runtime.Runtime, bundle *compiler.Bundle) (observed.Record, error) {
	ctx, end := context.WithCancelCause(context.WithoutCancel(l.a.Ctx)) // an interrupt ends the lesson, and is no failure
	defer end(nil)
	signals, over := make(chan syscall.Signal), make(chan struct{})
	used, asked := make(chan error, 1), make(chan bool, 1)
	watch := func(first int, nics []arrivals.NIC) error {
		if err := l.watch(first, nics); err != nil {
			return err
		}
		go func() {
			err := l.use(over)
			used <- err
			asked <- l.stop(signals, over, end)
		}()
		return nil
	}
	exit, err := host.RunWatched(ctx, bundle, channel.Command{}, channel.Stdio{Stdout: l.stdout, Stderr: l.stderr, Signals: signals}, watch)
	close(over)
	if l.packets == nil { // it did not begin
		return observed.Record{}, err
	}
	record := l.tracer.Record(leaveTime)
	record.Packets = l.packets.Record()
	record.Sort()
	switch failure := new(channel.Failure); {
	case errors.Is(err, errLearned): // it did not end by itself
		err = nil
	case errors.As(err, &failure): // what was refused may say why
		say.Fprintln(l.a.Stderr, "sbx:", err)
		l.notStarted(failure, &record)
		err = nil
	}
	if asked := <-asked; err == nil && !asked {
		code := exit.Status()
		l.exit = &code
	}
	return record, errors.Join(err, <-used)
}

// stop asks the command to end, as its profile says that it is asked, and ends it where
// it does not in time. It says whether the command was still there to be asked.
func (l *lesson) stop(signals chan<- syscall.Signal, over <-chan struct{}, end context.CancelCauseFunc) (asked bool) {
	signal := unix.SignalNum("SIG" + strings.TrimPrefix(l.profile.Run.Stop.Signal, "SIG"))
	if signal == 0 { // one of those without a name
		signal = unix.SIGTERM
	}
	limit := time.After(time.Duration(l.profile.Run.Stop.Timeout))
	for {
		select {
		case signals <- signal:
			signals, asked = nil, true
		case <-over:
			return asked
		case <-limit:
			end(errLearned)
			<-over
			return true
		}
	}
}

// errLearned ends a command that did not stop when it was asked to.
var errLearned = errors.New("the lesson is over")

// notStarted notes a program that sbx-init has not found, which is not traced itself.
func (l *lesson) notStarted(failure *channel.Failure, record *observed.Record) {
	code := verb.ExitSbx
	switch failure.Reason {
	case channel.ReasonNotFound:
		code = verb.ExitNotFound
		if program := l.profile.Run.Argv[0]; filepath.IsAbs(program) {
			record.Paths = append(record.Paths, observed.Path{Program: "sbx-init", Call: "execve", Path: filepath.Clean(program), Error: "ENOENT"})
		}
	case channel.ReasonNotExecutable:
		code = verb.ExitNotExecutable
	}
	l.exit = &code
}

// watch begins to look on.
func (l *lesson) watch(first int, nics []arrivals.NIC) (err error) {
	if first == 0 {
		return errors.New("its first process is not to be found, and cannot be watched")
	}
	if l.tracer, err = tracer.Follow(first); err != nil {
		return err
	}
	l.packets, err = arrivals.Watch(nics)
	return err
}

// use has the service be used until the lesson is over.
func (l *lesson) use(over <-chan struct{}) error {
	var enough <-chan time.Time
	if l.limit > 0 {
		enough = time.After(l.limit)
	}
	if l.workload == nil {
		if l.limit == 0 {
			say.Fprintf(l.a.Stderr, "sbx: %s runs and is watched: use it, then press Ctrl-C\n", l.profile.Name)
		}
		select {
		case <-enough:
		case <-l.a.Ctx.Done():
		case <-over:
		}
		return nil
	}
	if !l.settle(over) {
		return nil // what has ended is used by nobody
	}
	work := exec.CommandContext(l.a.Ctx, l.workload[0], l.workload[1:]...)
	work.Stdout, work.Stderr = l.a.Stderr, l.a.Stderr
	if err := work.Start(); err != nil {
		return fmt.Errorf("the command that is to use the service: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- work.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			say.Fprintf(l.a.Stderr, "sbx: %s: %v\n", l.workload[0], err)
		}
	case <-enough:
		_ = work.Process.Kill() // it may have ended
		<-ended
	}
	return nil
}

// settle waits until the service can be used, and says whether it is still there.
func (l *lesson) settle(over <-chan struct{}) bool {
	most := settleTime
	if l.limit > 0 {
		most = min(most, l.limit/2)
	}
	limit := time.After(most)
	for !l.tracer.Listens() {
		select {
		case <-limit:
			return true
		case <-over:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true
}
