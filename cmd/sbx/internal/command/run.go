package command

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// Run runs a command in a sandbox of its own.
type Run struct {
	verb.HostFlags
	Tag     []string `name:"tag" placeholder:"KEY=VALUE" help:"Set the profile's @tag(KEY)."`
	Profile string   `arg:"" optional:"" help:"A profile to start from: a file, a folder or a name." default:"shell"`
	Command []string `arg:"" optional:"" passthrough:"partial" help:"The command, where a profile stands before it. All that follows is its own. Without a profile, \"--\" must stand before it."`

	runFlags

	With    []string `sep:"none" placeholder:"PATH" help:"Profiles of the sandboxes that the rules name."`
	Display bool     `help:"Give it a screen, and open a VNC viewer on that: the sandbox ends with the viewer, too."`
	Name    string   `placeholder:"NAME" help:"Call the sandbox this. (default: the profile's name and random letters)"`
	sessionFlags
	verb.TimingFlags
	Print bool `help:"Print the profile that the flags amount to, as CUE, and run nothing."`
}

// defaultProfile is the one that is run without any, by its name.
const defaultProfile = "shell"

func (Run) Help() string {
	return `Makes a sandbox, runs the command that stands after "--" in it (or the profile's
own), and removes it. Without a profile the command sees the host's programs and
configuration (/usr, /etc and /opt, as far as the host has them), read-only,
nothing of any home folder, and no network; flags open more or less, and --print
shows the profile that they amount to.

` + streamsHelp + `

` + sessionCodes + `

A rule of --allow is "in" or "out", a protocol with its ports, and, after "to" or
"from", addresses: "out tcp:443 to 192.0.2.7", "in tcp:80,8000-8010", "out any".

Examples:
  sbx run -- ls /
  sbx run --ro ~/src:/src --tmpfs /out:1GiB -w /out -- make -f /src/Makefile
  sbx run --network default --allow "out udp:53" --allow "out tcp:80" \
    -- curl http://example.org
  sbx run -t -- /bin/bash
  sbx run --display -- xterm
  sbx run --name data --rw /srv/data --print > data.cue`
}

func (c *Run) Run(a *verb.App) error {
	if err := c.checkProfile(a); err != nil {
		return verb.WithCode(verb.ExitSbx, err)
	}
	a.Command = a.CommandLine(c.Command)
	defer c.Record(a)()
	endLoad := verb.Span(a.Ctx, "load")
	host := c.Open(a)
	defer host.Close()
	if !c.Print {
		host.Warm(cmp.Or(schema.Backend(c.Backend), schema.LXC)) // as most profiles have it
	}
	p, err := c.profile(a)
	endLoad()
	if err != nil {
		return verb.WithCode(verb.ExitSbx, err)
	}
	if c.Print {
		text, err := load.Format(p)
		if err != nil {
			return verb.WithCode(verb.ExitSbx, err)
		}
		_, err = a.Stdout.Write(text)
		return err
	}
	others, err := (&verb.ProfileFlags{}).Load(a, c.With...)
	if err != nil {
		return verb.WithCode(verb.ExitSbx, err)
	}
	beside, err := c.viewer(a, p)
	if err != nil {
		return verb.WithCode(verb.ExitSbx, err)
	}
	return session(a, c.sessionFlags, func(ctx context.Context, t *terminal) (channel.Exit, error) {
		peers, err := (&verb.ProfileFlags{Tag: c.Tag}).Peers(a, append(others, p), host)
		if err != nil {
			return channel.Exit{}, err
		}
		endCompile := verb.Span(ctx, "compile")
		bundle, err := compiler.Compile(p, compiler.Options{Ephemeral: true, Peers: peers})
		endCompile()
		if err != nil {
			return channel.Exit{}, err
		}
		t.stdio.Beside = beside
		exit, err := host.Run(ctx, bundle, channel.Command{
			Argv:    a.Command,
			Env:     append(t.env(), c.bytes.env...),
			Workdir: c.bytes.workdir,
			TTY:     t.size,
		}, t.stdio)
		if errors.Is(err, errLeft) {
			return channel.Exit{}, nil
		}
		return exit, err
	})
}

// checkProfile tells somebody who has left "--" out that the command was taken for
// a profile.
func (c *Run) checkProfile(a *verb.App) error {
	path, shipped := verb.FindProfile(c.Profile)
	if a.Command != nil || shipped || c.Profile == "-" || verb.Exists(path) || strings.ContainsAny(path, "*?") || strings.HasSuffix(path, "/...") {
		return nil
	}
	command := strings.Join(append([]string{c.Profile}, c.Command...), " ")
	return fmt.Errorf("there is no profile %s: to run a command without one, put \"--\" before it, as in sbx run -- %s", c.Profile, command)
}

// profile is the one that the command line amounts to.
func (c *Run) profile(a *verb.App) (*schema.Profile, error) {
	p, err := (&verb.ProfileFlags{Tag: c.Tag}).LoadOne(a, c.Profile)
	if err != nil {
		return nil, err
	}
	if !c.Print {
		c.setBytesAside()
	}
	if _, shipped := verb.FindProfile(c.Profile); shipped && p.Name == defaultProfile {
		keepWhatIsThere(p)
	}
	changed, err := c.apply(p)
	if err != nil {
		return nil, err
	}
	if c.Display && p.Display == nil {
		p.Display, changed = schema.NewDisplay(), true
	}
	if p.Backend.BootsKernel() { // the environment may name a kernel for all machines
		set(&changed, &p.Machine.Kernel, c.Kernel)
		set(&changed, &p.Machine.Modules, c.Modules)
	}
	if c.Print && len(a.Command) > 0 {
		p.Run.Argv, changed = a.Command, true
	}
	if c.Name != "" {
		rename(p, c.Name)
		changed = true
	}
	if changed {
		if p, err = recheck(p); err != nil {
			return nil, err
		}
	}
	if c.Name == "" && !c.Print {
		rename(p, uniqueName(p.Name))
	}
	return p, nil
}

// rename changes the profile's name, and the host name that follows it.
func rename(p *schema.Profile, name string) {
	if p.Hostname == p.Name {
		p.Hostname = name
	}
	p.Name = name
}

// uniqueName is a sandbox's name that no other one has.
func uniqueName(base string) string {
	const longest = 40
	return base[:min(len(base), longest)] + "-" + strings.ToLower(rand.Text()[:10])
}

// hostEnv fills in the values of variables that are named alone, as they are
// here; one that is not set here stays out.
func hostEnv(list []string) []string {
	var env []string
	for _, entry := range list {
		if !strings.Contains(entry, "=") {
			value, set := os.LookupEnv(entry)
			if !set {
				continue
			}
			entry += "=" + value
		}
		env = append(env, entry)
	}
	return env
}

// viewer opens one on the screen of --display, beside the command. Nothing is started
// where there is none to open.
func (c *Run) viewer(a *verb.App, p *schema.Profile) (func(context.Context, *channel.Client) error, error) {
	if !c.Display {
		return nil, nil
	}
	view := View{Name: p.Name}
	argv, err := view.viewer(&manifest.Display{ClipboardIn: p.Display.Clipboard.In(), ClipboardOut: p.Display.Clipboard.Out(), Resize: p.Display.Resize})
	if err != nil {
		return nil, fmt.Errorf("--display: %w", err)
	}
	return func(ctx context.Context, client *channel.Client) error {
		err := view.open(ctx, a.Stderr, client, argv)
		if errors.Is(err, errOver) || errors.Is(err, channel.ErrLost) {
			return nil // how its command has ended is to be told, or that the sandbox is lost
		}
		return err
	}, nil
}
