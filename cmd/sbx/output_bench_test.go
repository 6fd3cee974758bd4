package main

import (
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/turns"
)

// BenchmarkOutput measures how fast a command's standard output comes out of sbx run into
// a pipe, from its first byte to its end: of a container and of a machine, each in turns
// with the same command without sbx.
func BenchmarkOutput(b *testing.B) {
	sbx := benchedSbx(b)
	who := plainUser(b)
	for backend, c := range map[string]struct {
		blocks string // of 128 KiB
		run    func(argv ...string) *exec.Cmd
	}{
		"lxc": {"8192", func(argv ...string) *exec.Cmd { return exec.Command(sbx, append([]string{"run", "--"}, argv...)...) }},
		"kvm": {"1024", func(argv ...string) *exec.Cmd { return who.start(slices.Concat(who.args, []string{"--"}, argv)) }},
	} {
		b.Run(backend, func(b *testing.B) {
			argv := []string{"dd", "if=/dev/zero", "bs=128k", "count=" + c.blocks, "status=none"}
			turns.Ratio(b,
				turns.Side{Unit: "sbx-MB/s", Measure: func() float64 { return rate(b, c.run(argv...)) }},
				turns.Side{Unit: "pipe-MB/s", Measure: func() float64 { return rate(b, exec.Command(argv[0], argv[1:]...)) }},
				turns.Goal{})
		})
	}
}

// rate is how many million bytes a second the command writes, from its first on.
func rate(b *testing.B, c *exec.Cmd) float64 {
	b.Helper()
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	buffer := make([]byte, 1<<20)
	if _, err := out.Read(buffer); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{out}, buffer)
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	if err := c.Wait(); err != nil {
		b.Fatal(err)
	}
	return float64(n) / 1e6 / took.Seconds()
}
