package listing

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/proc"
	"github.com/sbx-dev/sbx/runtime/internal/usage"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
)

// answerTime is what Measure takes at most for a first process to answer.
const answerTime = 5 * time.Second

// Measurement is what changes from one moment to the next. What could not be
// found out is zero.
type Measurement struct {
	Service  channel.State `json:"service,omitempty"` // of the command, as the first process sees it
	Says     string        `json:"says,omitempty"`    // what the command says of its state, by sd_notify
	Restarts int           `json:"restarts"`          // of the command
	Uptime   int64         `json:"uptime"`            // seconds since the sandbox has started
	Memory   int64         `json:"memory"`            // bytes in use
	CPU      float64       `json:"cpu"`               // processors in use: 0.5 is half of one
	User     *uint32       `json:"user,omitempty"`    // the host's: whom a machine's QEMU runs as, and a container's command, or else its root
	Drifted  bool          `json:"drifted"`           // somebody else has changed it; Drift says what
	virt.Leases
}

// Measure fills in the measurements of those that run. A sandbox that ends
// meanwhile, or does not answer, keeps what is zero.
func (l *Lister) Measure(ctx context.Context, list []Sandbox) {
	var all sync.WaitGroup
	for i := range list {
		if list[i].State != "running" {
			continue
		}
		s := &list[i]
		all.Go(func() { l.usage(s) })
		if l.Drivers.Local() {
			all.Go(func() { s.service = l.askService(ctx, s.Backend, s.Name) })
		}
	}
	all.Wait()
	for i := range list {
		s := &list[i]
		s.Service, s.Says, s.Restarts = s.service.State, s.service.Text, s.service.Restarts
		s.Leases = virt.NewLeases(s.Leased, s.service.Leases)
		if known.Of(s.Backend).Mapped {
			s.User = cmp.Or(proc.CommandUser(s.controller, s.service.PID), s.User)
		}
	}
}

// askService asks the sandbox's first process how its command is. One that does
// not answer says nothing.
func (l *Lister) askService(ctx context.Context, kind schema.Backend, name string) channel.Status {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	client, err := l.Dial(ctx, kind, l.Folder.Path(name))
	if err != nil {
		return channel.Status{}
	}
	defer client.Close()
	status, err := client.Status(ctx)
	if err != nil {
		return channel.Status{}
	}
	return status
}

// usage measures memory, processor time and age, and finds out the user.
func (l *Lister) usage(s *Sandbox) {
	if s.pid != 0 {
		s.take(usage.OfProcess(s.pid))
		return
	}
	conn, err := l.Drivers.ConnectToLook(s.Backend)
	if err != nil {
		return
	}
	s.take(usage.OfDomain(conn, s.Name, known.Of(s.Backend), l.Drivers.Local()))
}

// take notes what has been measured.
func (s *Sandbox) take(u usage.Usage) {
	s.CPU, s.Memory, s.User, s.Leased, s.controller = u.CPU, u.Memory, u.User, u.Leased, u.Controller
	s.Uptime = int64(u.Age / time.Second)
}
