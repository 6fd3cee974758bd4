// Bench runs the benchmarks and writes what they have come to as text, as JSON and as a
// picture:
//
//	bench [-o FOLDER] [-bench REGEXP] [-record] [FLAG-OF-GO-TEST…]
//
// They run one after the other, each in as many rounds as it takes; see internal/turns
// for those that compare. One that fails is told of, and the others count. With -record
// the text becomes the last section of docs/performance.md.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	folder := flags.String("o", "bin/bench", "`FOLDER` for what they have come to")
	which := flags.String("bench", ".", "run those that match the `REGEXP`")
	record := flags.Bool("record", false, "write it into docs/performance.md")
	if err := flags.Parse(args); err != nil {
		return err
	}
	packages, err := withBenchmarks(".")
	if err != nil {
		return err
	}
	r, err := begin(ctx, time.Now())
	if err != nil {
		return err
	}
	for _, pkg := range packages {
		if ctx.Err() != nil {
			break
		}
		if err := r.measure(ctx, pkg, append([]string{"-bench", *which}, flags.Args()...)); err != nil {
			r.Failed = append(r.Failed, pkg)
		}
	}
	r.Load = append(r.Load, load())
	if err := r.write(ctx, *folder, *record); err != nil {
		return err
	}
	if len(r.Failed) > 0 {
		return fmt.Errorf("not all benchmarks of %s ran to their end", strings.Join(r.Failed, ", "))
	}
	return ctx.Err()
}

// withBenchmarks are the folders below root whose tests hold benchmarks.
func withBenchmarks(root string) (folders []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if folder := "./" + filepath.Dir(path); err == nil && bytes.Contains(text, []byte("\nfunc Benchmark")) && !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
		return err
	})
	return folders, err
}

// measure runs a package's benchmarks, and shows what they print.
func (r *report) measure(ctx context.Context, pkg string, args []string) error {
	command := exec.CommandContext(ctx, "go", slices.Concat([]string{"test", "-run", "^$", "-timeout", "2h"}, args, []string{pkg})...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGINT) }
	var printed bytes.Buffer
	command.Stdout, command.Stderr = io.MultiWriter(os.Stderr, &printed), os.Stderr
	err := command.Run()
	r.Results = append(r.Results, parse(strings.TrimPrefix(pkg, "./"), printed.String())...)
	return err
}

// write writes the report's three forms into the folder.
func (r *report) write(ctx context.Context, folder string, record bool) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	text := r.text()
	fmt.Print(text)
	at := func(name string) string { return filepath.Join(folder, name) }
	if err := os.WriteFile(at("bench.json"), append(data, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(at("bench.md"), []byte(text), 0o644); err != nil {
		return err
	}
	if record {
		if err := recordIn("docs/performance.md", text); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(r.Results, result.compares) {
		return nil // nothing that could be drawn
	}
	picture, err := filepath.Abs(at("bench.svg"))
	if err != nil {
		return err
	}
	plot := exec.CommandContext(context.WithoutCancel(ctx), "go", "run", "-C", "internal/bench/plot", ".", picture)
	plot.Stdin, plot.Stderr = bytes.NewReader(data), os.Stderr
	if err := plot.Run(); err != nil {
		return fmt.Errorf("the picture: %w", err)
	}
	return nil
}
