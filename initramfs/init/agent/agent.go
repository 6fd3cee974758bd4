// Package agent does what hosts ask for over the channel: sessions, the state
// and output of the sandbox's own command, and its stop and restart.
package agent

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/notify"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
	"github.com/sbx-dev/sbx/initramfs/init/service"
	"github.com/sbx-dev/sbx/initramfs/init/syslog"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// Agent is the sandbox's first process as hosts see it.
type Agent struct {
	manifest *manifest.Manifest
	table    *proc.Table
	commands commands
	log      *service.Log
	board    *service.Board
	stop     syscall.Signal
	service  *service.Service // nil where a host says what runs
	secrets  *secrets
	screen   screen

	mu      sync.Mutex
	broken  error // why the sandbox cannot run anything
	own     *proc.Process
	started bool // the host's "run" was granted

	mayStart <-chan struct{} // closed when a service may start, as far as the host is concerned

	killAll  func() // ends every process of the sandbox but this one
	requests underway
	asked    chan struct{} // closed at the first request
	askOnce  sync.Once
	told     chan struct{} // closed when a host has been told the end, or has ordered it
	tellOnce sync.Once
	ended    chan struct{} // closed when the sandbox's command has ended
	endOnce  sync.Once
}

// closed is what may be at once.
var closed = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// New prepares the agent for what the manifest says. killAll ends every other
// process of the sandbox.
func New(m *manifest.Manifest, table *proc.Table, killAll func()) *Agent {
	a := &Agent{
		manifest: m,
		table:    table,
		log:      service.NewLog(),
		board:    service.NewBoard(channel.Waiting),
		secrets:  newSecrets(m.Secrets),
		killAll:  killAll,
		asked:    make(chan struct{}),
		told:     make(chan struct{}),
		ended:    make(chan struct{}),
	}
	a.mayStart = closed
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
	if ready := a.manifest.Run.Ready; ready != nil && ready.Notify {
		spec.Env = environment(spec.Env, []string{notify.Variable + "=" + notify.Path})
	}
	steps, err := a.commands.steps()
	if err != nil {
		a.broken = err
		return
	}
	reload, err := a.commands.reload(spec)
	if err != nil {
		a.broken = err
		return
	}
	a.service = service.New(a.table, spec, a.manifest.Run, a.stop, a.log, a.board)
	a.service.Before(steps)
	a.service.ReachedAt(a.manifest.Interfaces)
	a.service.ReloadBy(reload)
}

// Log has the service's log take what programs write by syslog, if they can, as a part
// of its standard error. It comes before Start.
func (a *Agent) Log(messages *syslog.Messages) {
	if messages == nil || a.service == nil {
		return
	}
	messages.Serve(func(line []byte) { a.log.Add(2, line) })
	a.service.BeforeEnd(messages.Drain)
}

// Hear has the service take what its command says of itself by sd_notify, if it can.
// It comes before Start.
func (a *Agent) Hear(socket *notify.Socket) {
	if socket != nil && a.service != nil {
		a.service.Hear(socket)
	}
}

// AwaitHost has the service start when the first host comes, which by then has
// finished what it does to a container from outside. It comes before Start.
func (a *Agent) AwaitHost() { a.mayStart = a.asked }

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
			defer a.end()
			for _, ready := range []<-chan struct{}{a.mayStart, a.secrets.complete} {
				select {
				case <-ready:
				case <-a.ended:
					return
				}
			}
			a.service.Run()
		}()
	}
}

// Ended is closed when the sandbox's command has ended for good.
func (a *Agent) Ended() <-chan struct{} { return a.ended }

func (a *Agent) end() {
	a.leaveDisplay()
	a.endOnce.Do(func() { close(a.ended) })
}

// The time that hosts have at the end of a sandbox.
const (
	fetchTime = 10 * time.Second // to take the rest of the output and the last state
	askTime   = 5 * time.Second  // to ask for them, where nobody watches a service just then
	noticeEnd = 30 * time.Second // the same, where a service ended before any host has come
)

// Farewell waits, for a short time, until hosts have been told all. The host that
// starts a service may come to ask for it only when that has ended already, and
// its keeper only a moment later.
func (a *Agent) Farewell() {
	if a.manifest.Service {
		a.awaitTold()
	}
	select {
	case <-a.requests.none():
	case <-time.After(fetchTime):
	}
}

// awaitTold waits until a host has been told the end.
func (a *Agent) awaitTold() {
	limit := noticeEnd
	select {
	case <-a.asked:
		limit = askTime
	default:
	}
	select {
	case <-a.told:
	case <-time.After(limit):
	}
}

// Stop ends the sandbox's command by its stop signal, and with it the sandbox.
func (a *Agent) Stop(ctx context.Context) error {
	a.tell()
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

// tell notes that somebody knows of the end.
func (a *Agent) tell() { a.tellOnce.Do(func() { close(a.told) }) }

// StopBySignal is Stop for whoever speaks with the first process by signals.
func (a *Agent) StopBySignal(ctx context.Context) error {
	a.board.Set(func(s *channel.Status) { s.Signaled = true })
	return a.Stop(ctx)
}

// Restart stops a service and starts it again.
func (a *Agent) Restart(ctx context.Context) error {
	if a.service == nil || a.secrets.missing() {
		return &channel.Failure{Reason: channel.ReasonRefused, Message: "only a service that has started can be restarted"}
	}
	return a.service.Restart(ctx)
}

// Reload has a service read its configuration anew.
func (a *Agent) Reload(ctx context.Context) error {
	if a.service == nil || a.secrets.missing() {
		return &channel.Failure{Reason: channel.ReasonRefused, Message: "only a service that has started can be reloaded"}
	}
	return a.service.Reload(ctx)
}
