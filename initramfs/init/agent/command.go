package agent

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/display"
	"github.com/sbx-dev/sbx/initramfs/init/privilege"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
	"github.com/sbx-dev/sbx/initramfs/init/service"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// commands makes specs out of what hosts ask for and the manifest's defaults.
type commands struct {
	run   manifest.Run
	env   []string      // by which programs find what the sandbox has for them
	holds privilege.Set // what the run's own user holds, if it is not root
}

func newCommands(m *manifest.Manifest) (c commands, stop syscall.Signal, err error) {
	c.run = m.Run
	if m.Display != nil {
		c.env = display.Env()
	}
	if c.holds, err = privilege.ParseSet(m.Run.UserHolds); err != nil {
		return c, 0, err
	}
	stop, err = parseSignal(m.Run.StopSignal)
	return c, stop, err
}

// parseSignal reads "TERM", "SIGTERM" or "RTMIN+3"; empty means TERM.
func parseSignal(name string) (syscall.Signal, error) {
	if name == "" {
		return syscall.SIGTERM, nil
	}
	full := "SIG" + strings.TrimPrefix(name, "SIG")
	if s := unix.SignalNum(full); s != 0 {
		return s, nil
	}
	var n int
	if _, err := fmt.Sscanf(full, "SIGRTMIN+%d", &n); err == nil && n >= 0 && n <= 30 {
		return syscall.Signal(34 + n), nil
	}
	return 0, fmt.Errorf("the signal %q does not exist", name)
}

// spec is the command with what the manifest says for all that it leaves open.
func (c commands) spec(command channel.Command) (proc.Spec, error) {
	user, err := c.user(command.User)
	if err != nil {
		return proc.Spec{}, err
	}
	s := proc.Spec{
		Argv: command.Argv,
		Env:  environment(defaults(user), c.env, c.run.Env, command.Env),
		Dir:  or(command.Workdir, c.run.Workdir, "/"),
		User: user,

		Limits: c.run.Limits,
	}
	if named := or(command.User, c.run.User); named == c.run.User {
		s.Caps = c.holds
	}
	if len(s.Argv) == 0 {
		s.Argv = c.run.Argv
	}
	return s, nil
}

// user finds the named user, or the manifest's where name is empty.
func (c commands) user(name string) (privilege.User, error) {
	u, err := privilege.Lookup(or(name, c.run.User, "root"))
	if err != nil {
		return u, &channel.Failure{Reason: channel.ReasonFailed, Message: err.Error()}
	}
	return u, nil
}

func or(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// defaults is what a login would set at least (login(1)).
func defaults(u privilege.User) []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + u.Home}
	if u.Name != "" {
		env = append(env, "USER="+u.Name, "LOGNAME="+u.Name)
	}
	return env
}

// environment joins lists of NAME=value; the last value of a name counts.
func environment(lists ...[]string) []string {
	var env []string
	index := map[string]int{}
	for _, list := range lists {
		for _, entry := range list {
			name, _, _ := strings.Cut(entry, "=")
			if i, known := index[name]; known {
				env[i] = entry
				continue
			}
			index[name] = len(env)
			env = append(env, entry)
		}
	}
	return env
}

// steps are what runs before the service, each as its own user.
func (c commands) steps() (steps []service.Step, err error) {
	for i, s := range c.run.Prepare {
		spec, err := c.spec(channel.Command{Argv: s.Exec, User: s.User})
		if err != nil {
			return nil, fmt.Errorf("run.prepare[%d]: %w", i, err)
		}
		steps = append(steps, service.Step{Spec: spec, Timeout: milliseconds(s.Timeout)})
	}
	return steps, nil
}

// reload is how the service that spec describes is asked to read its configuration anew;
// nil where the manifest does not say.
func (c commands) reload(spec proc.Spec) (*service.Reload, error) {
	asked := c.run.Reload
	if asked == nil {
		return nil, nil
	}
	reload := &service.Reload{Limit: milliseconds(asked.Timeout)}
	if len(asked.Exec) > 0 {
		spec.Argv = asked.Exec
		reload.Step = &service.Step{Spec: spec, Timeout: reload.Limit}
		return reload, nil
	}
	var err error
	reload.Signal, err = parseSignal(asked.Signal)
	return reload, err
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
