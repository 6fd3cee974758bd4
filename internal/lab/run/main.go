// Command run runs scenarios on real Debian hosts, in virtual machines:
//
//	go run ./internal/lab/run -host trixie internal/lab/scenarios/acceptance.sh
//
// What the steps have printed is in bin/hosts. It needs root, mmdebstrap and QEMU;
// see package lab for what a scenario is.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/sbx-dev/sbx/internal/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	good, err := run(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
	}
	if err != nil || !good {
		os.Exit(1)
	}
}

// command is a run of some scenarios.
type command struct {
	out    string
	record bool
	shared []string // folders whose files machines are given
	cache  string
	commit string
}

func run(ctx context.Context, args []string) (good bool, err error) {
	c, scenarios, err := parse(args)
	if err != nil {
		return false, err
	}
	own, err := os.MkdirTemp("", "sbx-lab-build-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(own)
	if err := build(ctx, own); err != nil {
		return false, err
	}
	c.shared = append([]string{own}, c.shared...)
	if slices.ContainsFunc(scenarios, func(s *lab.Scenario) bool { return s.Name == "modular" }) {
		daemons, err := modular(ctx)
		if err != nil {
			return false, err
		}
		c.shared = append(c.shared, daemons)
	}
	good = true
	for _, s := range scenarios {
		worked, err := c.scenario(ctx, s)
		if err != nil {
			return false, err
		}
		good = good && worked
	}
	return good, nil
}

// parse reads the command line and the scenarios that it names.
func parse(args []string) (c command, scenarios []*lab.Scenario, err error) {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	hosts := flags.String("host", "", "run on these of the scenarios' `HOSTS` alone (with commas between)")
	flags.StringVar(&c.out, "o", "bin/hosts", "`FOLDER` for all that the steps have printed")
	flags.BoolVar(&c.record, "record", false, "write what they have come to into docs/hosts.md")
	flags.Func("share", "a `FOLDER` whose files the machine finds in /lab, too", func(folder string) error {
		c.shared = append(c.shared, folder)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return c, nil, err
	}
	if flags.NArg() == 0 {
		return c, nil, fmt.Errorf("usage: run [-host NAME] SCENARIO…")
	}
	for _, file := range flags.Args() {
		s, err := lab.Load(file)
		if err != nil {
			return c, nil, err
		}
		if *hosts != "" {
			only := strings.Split(*hosts, ",")
			s.Hosts = slices.DeleteFunc(s.Hosts, func(h string) bool { return !slices.Contains(only, h) })
		}
		if len(s.Hosts) == 0 {
			return c, nil, fmt.Errorf("%s is for none of the hosts %s", file, *hosts)
		}
		scenarios = append(scenarios, s)
	}
	if c.cache, err = lab.Cache(); err != nil {
		return c, nil, err
	}
	c.commit, err = commit()
	return c, scenarios, err
}

// scenario runs s on its hosts, one after the other.
func (c command) scenario(ctx context.Context, s *lab.Scenario) (good bool, err error) {
	good = true
	for _, name := range s.Hosts {
		result, err := c.on(ctx, name, s)
		if err != nil {
			return false, err
		}
		if err := result.Keep(c.out); err != nil {
			return false, err
		}
		if c.record {
			if err := lab.Record(result); err != nil {
				return false, err
			}
		}
		good = good && result.Good()
	}
	return good, nil
}

// on runs s on the host of a name.
func (c command) on(ctx context.Context, name string, s *lab.Scenario) (*lab.Result, error) {
	host, err := lab.Find(name)
	if err != nil {
		return nil, err
	}
	return lab.Run(ctx, host, s, lab.Options{Cache: c.cache, Shared: c.shared, Commit: c.commit, Log: os.Stderr})
}

// build makes in folder what machines are given of sbx as it is here: what make
// install installs, the deb, one of a later version, the profiles that ship, and the
// program by which tests try a sandbox's walls from inside.
func build(ctx context.Context, folder string) error {
	if err := do(ctx, nil, "make", "-s", "install", "DESTDIR="+filepath.Join(folder, "root")); err != nil {
		return err
	}
	version, err := exec.CommandContext(ctx, "scripts/version").Output()
	if err != nil {
		return fmt.Errorf("scripts/version: %w", err)
	}
	now := strings.TrimSpace(string(version))
	for to, version := range map[string]string{"package": now, "package-next": now + ".1"} {
		if err := do(ctx, []string{"VERSION=" + version}, "scripts/package", filepath.Join(folder, to), "amd64"); err != nil {
			return err
		}
	}
	if err := os.CopyFS(filepath.Join(folder, "profiles"), os.DirFS("profiles")); err != nil {
		return err
	}
	return buildProbe(ctx, filepath.Join(folder, "tests"))
}

// modular gives a folder with libvirt's daemons for each driver, which Debian does not
// package: the first time, it builds them.
func modular(ctx context.Context) (folder string, err error) {
	command := exec.CommandContext(ctx, "scripts/modular-daemons")
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("scripts/modular-daemons: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// buildProbe makes the probe with the profile that it runs in.
func buildProbe(ctx context.Context, folder string) error {
	if err := do(ctx, []string{"CGO_ENABLED=0"}, "go", "build", "-o", filepath.Join(folder, "probe"), "./internal/probe"); err != nil {
		return err
	}
	profile, err := os.ReadFile("runtime/testdata/probe.cue")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "probe.cue"), profile, 0o644)
}

// do runs a command with what it needs in its environment besides.
func do(ctx context.Context, env []string, argv ...string) error {
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Env = append(os.Environ(), env...)
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return nil
}

// commit is what is tested, with a word where it is not what the commit holds.
func commit() (string, error) {
	head, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "", fmt.Errorf("git rev-parse: %w", err)
	}
	changed, err := exec.Command("git", "status", "--porcelain", "--", ":!docs/hosts.md", ":!internal/lab/results").Output()
	if err != nil {
		return "", fmt.Errorf("git status: %w", err)
	}
	name := strings.TrimSpace(string(head))
	if len(changed) > 0 {
		name += " with changes"
	}
	return name, nil
}
