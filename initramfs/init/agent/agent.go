// Package agent does what hosts ask for over the channel: sessions, the state
// and output of the sandbox's own command, and its stop and restart.
package agent

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/sbx-dev/sbx/initramfs"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
	"github.com/sbx-dev/sbx/initramfs/init/service"
	"github.com/sbx-dev/sbx/initramfs/init/session"
)

// Agent is the sandbox's first process as hosts see it.
type Agent struct {
	manifest *initramfs.Manifest
	table    *proc.Table
	commands commands
	log      *service.Log
	board    *service.Board
	stop     syscall.Signal
	service  *service.Service // nil where a host says what runs
	secrets  *secrets

	mu      sync.Mutex
	broken  error // why the sandbox cannot run anything
	own     *proc.Process
	started bool // the host's "run" was granted

	killAll  func() // ends every process of the sandbox but this one
	requests sync.WaitGroup
	asked    chan struct{} // closed at the first request
	once     sync.Once
	ended    chan struct{} // closed when the sandbox's command has ended
	endOnce  sync.Once
}

// New prepares the agent for what the manifest says. killAll ends every other
// process of the sandbox.
func New(m *initramfs.Manifest, table *proc.Table, killAll func()) *Agent {
	a := &Agent{
		manifest: m,
		table:    table,
		log:      service.NewLog(),
		board:    service.NewBoard(channel.Waiting),
		secrets:  newSecrets(m.Secrets),
		killAll:  killAll,
		asked:    make(chan struct{}),
		ended:    make(chan struct{}),
	}
	a.commands, a.stop, a.broken = newCommands(m)
	if m.Service && a.broken == nil {
		a.prepareService()
	}
	return a
}

func (a *Agent) prepareService() {
	spec, err := a.commands.spec(channel.Command{})
	if err != nil {
		a.broken = err
		return
	}
	a.service = service.New(a.table, spec, a.manifest.Run, a.stop, a.log, a.board)
}

// Start starts a service. A sandbox that is no service waits for a host. broken
// is what went wrong before: nothing runs then, and hosts are told.
func (a *Agent) Start(broken error) {
	if broken != nil {
		a.broken = broken
	}
	switch {
	case a.broken != nil && a.manifest.Service:
		a.board.Set(func(s *channel.Status) { s.State, s.Message = channel.Ended, a.broken.Error() })
		a.log.End()
		a.end()
	case a.service != nil:
		go func() {
			select {
			case <-a.secrets.complete:
				a.service.Run()
			case <-a.ended:
			}
			a.end()
		}()
	}
}

// Ended is closed when the sandbox's command has ended for good.
func (a *Agent) Ended() <-chan struct{} { return a.ended }

func (a *Agent) end() { a.endOnce.Do(func() { close(a.ended) }) }

// The time that hosts have at the end of a sandbox.
const (
	fetchTime = 2 * time.Second // to take the rest of the output and the last state
	noticeEnd = 5 * time.Second // to ask at all, where it ended for a reason of sbx's own
)

// Farewell waits, for a short time, until hosts have been told all.
func (a *Agent) Farewell() {
	if status, _ := a.board.Status(); status.Message != "" {
		select {
		case <-a.asked:
		case <-time.After(noticeEnd):
		}
	}
	told := make(chan struct{})
	go func() { a.requests.Wait(); close(told) }()
	select {
	case <-told:
	case <-time.After(fetchTime):
	}
}

// Stop ends the sandbox's command by its stop signal, and with it the sandbox.
func (a *Agent) Stop(ctx context.Context) error {
	if a.service != nil && !a.secrets.missing() {
		return a.service.Stop(ctx)
	}
	a.mu.Lock()
	own := a.own
	a.mu.Unlock()
	if own == nil {
		a.end()
		return nil
	}
	a.table.Signal(own, a.stop)
	select {
	case <-own.Done():
	case <-time.After(time.Duration(a.manifest.Run.StopTimeout) * time.Millisecond):
		a.table.SignalGroup(own, syscall.SIGKILL)
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Restart stops a service and starts it again.
func (a *Agent) Restart(ctx context.Context) error {
	if a.service == nil || a.secrets.missing() {
		return &channel.Failure{Reason: channel.ReasonRefused, Message: "only a service that has started can be restarted"}
	}
	return a.service.Restart(ctx)
}

// Handle answers a request.
func (a *Agent) Handle(r channel.Request, s *channel.Stream) {
	a.requests.Add(1)
	defer a.requests.Done()
	a.once.Do(func() { close(a.asked) })
	switch r.Op {
	case channel.OpRun:
		a.runOwn(r, s)
	case channel.OpExec:
		a.exec(r, s)
	case channel.OpStatus:
		a.showStatus(s)
	case channel.OpOutput:
		a.sendOutput(r, s)
	case channel.OpStop:
		answer(s, a.Stop)
	case channel.OpRestart:
		answer(s, a.Restart)
	case channel.OpSecret:
		a.takeSecret(r, s)
	default:
		_ = s.Fail(channel.ReasonRefused, "this sbx-init does not know the request "+string(r.Op))
	}
}

// begin starts a session, or tells the host why not.
func (a *Agent) begin(r channel.Request, s *channel.Stream) (*session.Session, bool) {
	command := channel.Command{}
	if r.Command != nil {
		command = *r.Command
	}
	var started *session.Session
	err := a.broken
	if err == nil && a.secrets.missing() {
		err = &channel.Failure{Reason: channel.ReasonRefused, Message: "the sandbox waits for its secrets: sbx up sends them"}
	}
	if err == nil {
		var spec proc.Spec
		if spec, err = a.commands.spec(command); err == nil {
			started, err = session.Start(a.table, spec, command.TTY, command.Stdin, s)
		}
	}
	if err != nil {
		fail(s, err)
		return nil, false
	}
	return started, true
}

func (a *Agent) exec(r channel.Request, s *channel.Stream) {
	if started, ok := a.begin(r, s); ok {
		started.Serve(func() {})
	}
}

// runOwn runs the sandbox's own command for the host; the sandbox ends with it.
func (a *Agent) runOwn(r channel.Request, s *channel.Stream) {
	a.mu.Lock()
	refused := a.manifest.Service || a.started
	a.started = true
	a.mu.Unlock()
	if refused {
		_ = s.Fail(channel.ReasonRefused, "the sandbox's own command runs already")
		return
	}
	defer a.end()
	started, ok := a.begin(r, s)
	if !ok {
		return
	}
	a.mu.Lock()
	a.own = started.Process()
	a.mu.Unlock()
	a.board.Set(func(b *channel.Status) { b.State, b.PID = channel.Ready, a.own.PID })
	exit := started.Serve(a.killAll)
	a.board.Set(func(b *channel.Status) { b.State, b.PID, b.Exit = channel.Ended, 0, &exit })
}

// HostLost ends a sandbox that runs for one host, once that is gone and the
// command with it.
func (a *Agent) HostLost() {
	if !a.manifest.Service {
		a.end()
	}
}
