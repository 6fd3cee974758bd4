package channel

import (
	"context"
	"io"
	"testing"
)

// BenchmarkOutput measures how fast a command's output comes through a channel, from
// the frames of its first process to the host's writer.
func BenchmarkOutput(b *testing.B) {
	const frames = 1024
	data := make([]byte, OutputChunk)
	c := connect(b, func(_ Request, s *Stream) {
		_ = s.Send(KindStarted, nil)
		for range frames {
			if s.Send(KindStdout, data) != nil {
				return
			}
		}
		_ = s.SendJSON(KindExit, Exit{})
	})
	b.SetBytes(frames * OutputChunk)
	for b.Loop() {
		if _, err := c.Run(context.Background(), Command{Argv: []string{"x"}}, Stdio{Stdout: io.Discard}); err != nil {
			b.Fatal(err)
		}
	}
}
