// Command run runs scenarios on real Debian hosts, in virtual machines:
//
//	go run ./internal/lab/run -host trixie internal/lab/scenarios/acceptance.sh
//
// It needs root, mmdebstrap and QEMU. See package lab for what a scenario is.
package main

import (
	"context"
	"encoding/json"
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

func run(ctx context.Context, args []string) (good bool, err error) {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	hosts := flags.String("host", "", "run on these of the scenario's `HOSTS` alone (with commas between)")
	out := flags.String("o", "bin/hosts", "`FOLDER` for what the steps have printed")
	share := flags.String("share", "", "a `FOLDER` whose files the machine finds in /lab, beside what make install installs")
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	if flags.NArg() == 0 {
		return false, fmt.Errorf("usage: run [-host NAME] SCENARIO…")
	}
	cache, err := lab.Cache()
	if err != nil {
		return false, err
	}
	good = true
	for _, file := range flags.Args() {
		scenario, err := lab.Load(file)
		if err != nil {
			return false, err
		}
		for _, name := range scenario.Hosts {
			if *hosts != "" && !slices.Contains(strings.Split(*hosts, ","), name) {
				continue
			}
			result, err := runOn(ctx, name, scenario, cache, *share)
			if err != nil {
				return false, err
			}
			if err := keep(*out, result); err != nil {
				return false, err
			}
			good = good && result.Good()
		}
	}
	return good, nil
}

// runOn runs a scenario on the host of a name, with sbx as it is here.
func runOn(ctx context.Context, name string, s *lab.Scenario, cache, extra string) (*lab.Result, error) {
	host, err := lab.Find(name)
	if err != nil {
		return nil, err
	}
	share, err := os.MkdirTemp("", "sbx-lab-share-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(share)
	install := exec.CommandContext(ctx, "make", "-s", "install", "DESTDIR="+filepath.Join(share, "root"))
	install.Stdout, install.Stderr = os.Stderr, os.Stderr
	if err := install.Run(); err != nil {
		return nil, fmt.Errorf("make install: %w", err)
	}
	if extra != "" {
		if err := os.CopyFS(share, os.DirFS(extra)); err != nil {
			return nil, err
		}
	}
	return lab.Run(ctx, host, s, lab.Options{Cache: cache, Share: share, Log: os.Stderr})
}

// keep writes a result into folder: all of it as JSON, and what was printed as text.
func keep(folder string, r *lab.Result) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	base := filepath.Join(folder, r.Host+"-"+r.Scenario)
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(base+".json", text, 0o644); err != nil {
		return err
	}
	var log strings.Builder
	for _, s := range r.Steps {
		fmt.Fprintf(&log, "#: %s: %s (%.1f s)\n%s\n", s.Name, s.Outcome, s.Took.Seconds(), s.Output)
	}
	return os.WriteFile(base+".log", []byte(log.String()), 0o644)
}
