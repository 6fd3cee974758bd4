package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// BenchmarkRun times `sbx run -- /bin/false` in a container, to its exit code,
// beside a bare `virsh create` of the same domain, which ends when the container
// has started. It reports both medians and their ratio.
func BenchmarkRun(b *testing.B) {
	testhost.Need(b)
	init, err := guestInit()
	if err != nil {
		b.Fatal(err)
	}
	sbx := filepath.Join(b.TempDir(), "sbx")
	output(b, "go", "build", "-tags", "libvirt_dlopen", "-o", sbx, ".")
	b.Setenv("SBX_INIT", init)
	domain := bareDomain(b, sbx)
	var bare, whole []time.Duration
	for b.Loop() {
		settle()
		bare = append(bare, timedTo(b, 0, "virsh", "-q", "-c", "lxc:///system", "create", domain))
		output(b, "virsh", "-q", "-c", "lxc:///system", "destroy", "bare")
		settle()
		whole = append(whole, timedTo(b, 1, sbx, "run", "--", "/bin/false"))
	}
	reportPair(b, "virsh-ms", bare, "sbx-ms", whole)
}

// reportPair reports the medians of what was timed in turns, and the ratio of ours to the
// floor.
func reportPair(b *testing.B, floorUnit string, floors []time.Duration, unit string, ours []time.Duration) {
	b.Helper()
	slices.Sort(floors)
	slices.Sort(ours)
	floor, got := floors[len(floors)/2].Seconds(), ours[len(ours)/2].Seconds()
	b.ReportMetric(floor*1000, floorUnit)
	b.ReportMetric(got*1000, unit)
	b.ReportMetric(got/floor, "ratio")
}

// settle gives libvirtd the time to take the container before apart.
func settle() { time.Sleep(500 * time.Millisecond) }

// bareDomain writes the XML of a domain like that of a running `sbx run`, with
// files of its own, and gives its path.
func bareDomain(b *testing.B, sbx string) string {
	b.Helper()
	run := exec.Command(sbx, "run", "--name", "model", "--", "cat")
	in, err := run.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := run.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := run.Wait(); err != nil {
			b.Error(err)
		}
	}()
	for exec.Command(sbx, "exec", "model", "--", "true").Run() != nil {
		time.Sleep(50 * time.Millisecond)
	}
	var d libvirtxml.Domain
	if err := d.Unmarshal(output(b, "virsh", "-c", "lxc:///system", "dumpxml", "--inactive", "model")); err != nil {
		b.Fatal(err)
	}
	dir := filepath.Join(b.TempDir(), "bare")
	output(b, "cp", "-a", "/var/lib/sbx/model", dir)
	for at := filepath.Dir(dir); at != "/"; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			b.Fatal(err)
		}
	}
	d.Name, d.UUID, d.Metadata = "bare", "", nil
	for _, f := range d.Devices.Filesystems {
		if f.Source.Mount != nil {
			f.Source.Mount.Dir = strings.Replace(f.Source.Mount.Dir, "/var/lib/sbx/model", dir, 1)
		}
	}
	text, err := d.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "bare.xml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// timedTo is how long a command takes that must end with the code.
func timedTo(b *testing.B, code int, argv ...string) time.Duration {
	b.Helper()
	c := exec.Command(argv[0], argv[1:]...)
	var said bytes.Buffer
	c.Stderr = &said
	began := time.Now()
	err := c.Run()
	took := time.Since(began)
	if c.ProcessState == nil || c.ProcessState.ExitCode() != code {
		b.Fatalf("%v: %v\n%s", argv, err, &said)
	}
	return took
}

// output runs a command that must succeed, and gives what it prints.
func output(b *testing.B, argv ...string) string {
	b.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	if err != nil {
		b.Fatalf("%v: %v", argv, err)
	}
	return string(out)
}
