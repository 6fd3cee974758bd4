package runtime

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/logfile"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/denied"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// Logs calls see with the lines that the named sandbox's service wrote since
// then, the oldest first; with follow it goes on until ctx ends. Of a sandbox
// without a keeper there is only the latest output, as long as it runs.
func (r *Runtime) Logs(ctx context.Context, name string, since time.Time, follow bool, see func(logfile.Line) error) error {
	if err := checkName(name); err != nil {
		return err
	}
	dom, _, err := r.find(name)
	if err != nil {
		return err
	}
	dom.Free()
	dir := r.state().Path(name, state.Log)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return logfile.Read(ctx, dir, since, follow, see)
	}
	client, err := r.Attach(ctx, name)
	if err != nil {
		return err
	}
	defer client.Close()
	err = client.Output(ctx, 0, follow, func(record channel.Record) error {
		if record.Time.Before(since) {
			return nil
		}
		return see(line(record))
	})
	if follow && ctx.Err() != nil {
		return nil
	}
	return err
}

// Denied is what the inner walls of the named sandbox have dropped.
func (r *Runtime) Denied(name string) (*denied.Report, error) {
	if err := errors.Join(checkName(name), r.needLocal("denied")); err != nil {
		return nil, err
	}
	dom, kind, err := r.find(name)
	if err != nil {
		return nil, err
	}
	defer dom.Free()
	m, err := virt.Metadata(dom)
	if m == nil || err != nil {
		return nil, virt.LostMeanwhile(name, err)
	}
	return denied.Look(denied.Sandbox{Name: name, Walls: m.Filters, Told: r.manifestOf(name, kind), Dir: r.state().Path(name)})
}

// line is a record as a log has it: sbx-init sends a line, or a piece of a long
// one, at a time.
func line(record channel.Record) logfile.Line {
	text, full := strings.CutSuffix(string(record.Data), "\n")
	stream := "stdout"
	if record.Stream == 2 {
		stream = "stderr"
	}
	return logfile.Line{Time: record.Time, Stream: stream, Text: text, Piece: !full}
}
