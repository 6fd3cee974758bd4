package agent

import (
	"context"
	"syscall"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
	"github.com/sbx-dev/sbx/initramfs/init/session"
)

// Host is one host on the channel.
type Host struct {
	a     *Agent
	owner bool
}

// NewHost prepares for a host that has come. The first one is the owner of a
// sandbox that is no service: it says what runs, and the sandbox ends with it.
func (a *Agent) NewHost(first bool) *Host { return &Host{a, first && !a.manifest.Service} }

// Handle answers one of the host's requests.
func (h *Host) Handle(r channel.Request, s *channel.Stream) {
	a := h.a
	a.requests.begin()
	defer a.requests.end()
	a.askOnce.Do(func() { close(a.asked) })
	switch r.Op {
	case channel.OpRun:
		h.run(r, s)
	case channel.OpExec:
		if started, ok := a.begin(r, s); ok {
			started.Serve(func() {})
			started.AwaitHost()
		} else {
			awaitHost(s)
		}
	case channel.OpStatus:
		a.showStatus(s)
	case channel.OpOutput:
		a.sendOutput(r, s)
	case channel.OpStop:
		answer(s, a.Stop)
	case channel.OpRestart:
		answer(s, a.Restart)
	case channel.OpReload:
		answer(s, a.Reload)
	case channel.OpSignal:
		answer(s, func(context.Context) error { return a.signal(syscall.Signal(r.Signal)) })
	case channel.OpSecret:
		a.takeSecret(r, s)
	case channel.OpDisplay:
		a.view(r, s)
	default:
		_ = s.Fail(channel.ReasonRefused, "this sbx-init does not know the request "+string(r.Op))
	}
}

// Lost is called when the host is gone.
func (h *Host) Lost() {
	if h.owner {
		h.a.end()
	}
}

// run runs the sandbox's own command for the host; the sandbox ends with it.
func (h *Host) run(r channel.Request, s *channel.Stream) {
	a := h.a
	a.mu.Lock()
	refused := !h.owner || a.started
	a.started = a.started || !refused
	a.mu.Unlock()
	if refused {
		_ = s.Fail(channel.ReasonRefused, "the sandbox has a command of its own already: exec runs another one")
		return
	}
	defer a.end()
	started, ok := a.begin(r, s)
	if !ok {
		a.end()
		awaitHost(s)
		return
	}
	own := started.Process()
	a.mu.Lock()
	a.own = own
	a.mu.Unlock()
	a.board.Set(func(b *channel.Status) { b.State, b.PID = channel.Ready, own.PID })
	exit := started.Serve(func() { a.leaveDisplay(); a.killAll() })
	a.board.Set(func(b *channel.Status) { b.State, b.PID, b.Exit = channel.Ended, 0, &exit })
	a.end() // the host has but the time of the farewell
	started.AwaitHost()
}

// begin starts a session, or tells the host why not.
func (a *Agent) begin(r channel.Request, s *channel.Stream) (*session.Session, bool) {
	command := channel.Command{}
	if r.Command != nil {
		command = *r.Command
	}
	err := a.broken
	if err == nil && a.secrets.missing() {
		err = &channel.Failure{Reason: channel.ReasonRefused, Message: "the sandbox waits for its secrets: sbx up sends them"}
	}
	var spec proc.Spec
	if err == nil {
		spec, err = a.commands.spec(command)
	}
	var started *session.Session
	if err == nil {
		started, err = session.Start(a.table, spec, command, s)
	}
	if err != nil {
		fail(s, err)
		return nil, false
	}
	return started, true
}
