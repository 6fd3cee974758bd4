package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/internal/turns"
)

// BenchmarkHundred brings a hundred containers up by one sbx apply and down by one sbx
// down, in turns with as many virsh create and virsh destroy of domains that see the same
// of the host, one after the other; and tells how much memory one of them takes beyond
// its command's own.
func BenchmarkHundred(b *testing.B) {
	sbx := benchedSbx(b)
	files := bareDomains(b, bareDomain(b, sbx))
	folder := waitingProfiles(b, hundred)
	var up, down turns.Record
	b.Run("up", func(b *testing.B) {
		var memory []float64
		for rounds, more := 0, b.Loop(); more || rounds < 2; rounds, more = rounds+1, more && b.Loop() {
			ours := turns.Milliseconds(func() { output(b, sbx, "apply", folder+"/...") })()
			memory = append(memory, besideCommands(b))
			ourEnd := turns.Milliseconds(func() { output(b, sbx, "down", "--all") })()
			theirs := turns.Milliseconds(func() {
				for _, file := range files {
					output(b, "virsh", "-q", "-c", "lxc:///system", "create", file)
				}
			})()
			theirEnd := turns.Milliseconds(func() {
				for n := range files {
					output(b, "virsh", "-q", "-c", "lxc:///system", "destroy", bareName(n))
				}
			})()
			up.Add(ours, theirs)
			down.Add(ourEnd, theirEnd)
		}
		b.ReportMetric(slices.Max(memory)/hundred/(1<<20), "MiB/sandbox")
		up.Report(b, "apply-ms", "virsh-create-ms", turns.Goal{})
	})
	b.Run("down", func(b *testing.B) {
		down.Report(b, "down-ms", "virsh-destroy-ms", turns.Goal{})
	})
}

func bareName(n int) string { return "bare-" + strconv.Itoa(n) }

// bareDomains writes domains that wait, and gives their files.
func bareDomains(b *testing.B, model *libvirtxml.Domain) (files []string) {
	b.Helper()
	model.OS.Init, model.OS.InitArgs = "/usr/bin/sleep", []string{"100000"}
	for n := range hundred {
		model.Name = bareName(n)
		files = append(files, writeDomain(b, model))
	}
	return files
}

// waitingProfiles writes as many profiles of containers that wait, each in a folder of
// its own.
func waitingProfiles(b *testing.B, count int) string {
	b.Helper()
	dir := b.TempDir()
	for n := range count {
		text := fmt.Sprintf(`package p

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "one-%d"
	backend: "lxc"
	run: {argv: ["/usr/bin/sleep", "100000"], ready: file: "/usr"}
	expose: ["/usr", "/etc", "/opt"]
	resources: {memory: "32MiB", cpus: 1}
	users: base: %d // of a thousand names, some would have the same by themselves
}
`, n, (n+10000)*65536)
		folder := filepath.Join(dir, strconv.Itoa(n))
		if err := os.Mkdir(folder, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "profile.cue"), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// besideCommands is the memory, in bytes, of the processes that keep sandboxes here: sbx,
// the first process inside and libvirt's. What several share counts once.
func besideCommands(b *testing.B) (sum float64) {
	b.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range processes {
		name, err := os.ReadFile(file)
		if err != nil || !slices.Contains([]string{"exe", "sbx", "init", "libvirt_lxc"}, strings.TrimSpace(string(name))) {
			continue // or it has ended
		}
		rollup, err := os.ReadFile(filepath.Join(filepath.Dir(file), "smaps_rollup"))
		for line := range strings.Lines(string(rollup)) {
			if words := strings.Fields(line); err == nil && words[0] == "Pss:" {
				kib, err := strconv.ParseFloat(words[1], 64)
				if err != nil {
					b.Fatal(err)
				}
				sum += kib * 1024
			}
		}
	}
	return sum
}
