package keep

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/logfile"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/startfail"
)

// The bounds within which a failed sandbox may say what its command wrote:
// sbx-init holds about a megabyte of output, in lines.
const (
	wordsTime = 5 * time.Second
	wordsSize = 2 << 20
	recordFee = 64 // what a record takes besides its data, in bytes
)

var errEnough = errors.New("that is more output than sbx-init holds")

// LatestOutput is what the sandbox's first process still holds of its command's
// output, or as much of it as came within the bounds.
func LatestOutput(client *channel.Client) (records []channel.Record) {
	ctx, cancel := context.WithTimeout(context.Background(), wordsTime)
	defer cancel()
	size := 0
	_ = client.Output(ctx, 0, false, func(r channel.Record) error { // what came is all there is to tell
		if size += recordFee + len(r.Data); size > wordsSize {
			return errEnough
		}
		r.Data = slices.Clone(r.Data)
		records = append(records, r)
		return nil
	})
	return records
}

// Words writes what a failed sandbox's command wrote, and how it ended, where
// sbx logs and sbx wait look for it, unless its keeper has done so.
func Words(dir string, f *startfail.StartFailure) error {
	lock, err := lockKeeper(dir, os.O_CREATE)
	if lock == nil || err != nil {
		return err
	}
	defer lock.Close()
	helper := int(compiler.HelperID(f.Name))
	folder, err := logfile.Make(filepath.Join(dir, state.Log), helper)
	if err != nil {
		return err
	}
	defer folder.Close()
	log, err := logfile.NewWriter(folder, helper)
	if err != nil {
		return err
	}
	defer log.Close()
	stamps := newStamper(log.Last(), isFirst(dir))
	for _, r := range f.Records {
		at, fresh := stamps.stamp(r.Time)
		if !fresh {
			continue
		}
		if err := log.Write(at, r.Stream, r.Data); err != nil {
			return err
		}
	}
	if f.Status.Exit == nil && f.Status.Message == "" {
		return nil
	}
	end := f.Status
	end.State, end.PID = channel.Ended, 0
	return writeEnd(dir, end)
}

// LastLogged is when the last line was written of what is logged of a sandbox, zero where
// there is none: what a later start writes comes after that.
func LastLogged(ctx context.Context, dir string) (last time.Time) {
	_ = logfile.Read(ctx, filepath.Join(dir, state.Log), time.Time{}, false, func(l logfile.Line) error { // as far as it can be read
		last = l.Time
		return nil
	})
	return last
}

// LoggedOutput is the end of what the keeper of a sandbox has written of its output after
// a time.
func LoggedOutput(ctx context.Context, dir string, after time.Time) (records []channel.Record) {
	_ = logfile.Read(ctx, filepath.Join(dir, state.Log), after, false, func(l logfile.Line) error { // as far as it can be read
		if !l.Time.After(after) {
			return nil
		}
		records = append(records, channel.Record{Time: l.Time, Data: []byte(l.Text + "\n")})
		records = records[max(0, len(records)-startfail.ShownLines):]
		return nil
	})
	return records
}
