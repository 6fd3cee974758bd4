package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
)

// Wait waits until the sandbox's command has ended for good, and gives its last
// state. Of a sandbox that is stopped already it gives what its keeper noted,
// until it starts again. The error says that the sandbox ended before its
// command did, or that nothing tells how.
func (r *Runtime) Wait(ctx context.Context, name string) (channel.Status, error) {
	if err := checkName(name); err != nil {
		return channel.Status{}, err
	}
	status, err := r.watchEnd(ctx, name)
	if err == nil || ctx.Err() != nil || !r.local() {
		return status, err
	}
	if there, findErr := r.hasDomain(name); !there || findErr != nil {
		return status, err
	}
	noted, noteErr := notedEnd(r.state().Path(name))
	if errors.Is(noteErr, fs.ErrNotExist) {
		return status, err
	}
	if noteErr != nil {
		return status, fmt.Errorf("%w; how it ended before cannot be read: %w", err, noteErr)
	}
	return noted, nil
}

// watchEnd asks the sandbox's first process.
func (r *Runtime) watchEnd(ctx context.Context, name string) (last channel.Status, err error) {
	client, err := r.Attach(ctx, name)
	if err != nil {
		return last, err
	}
	defer client.Close()
	if last, err = client.WaitEnd(ctx); err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return last, err
}

// writeEnd notes how the command of the sandbox whose folder is dir has ended.
func writeEnd(dir string, status channel.Status) error {
	data, err := json.Marshal(status)
	if err != nil {
		return err
	}
	return hostfile.WriteAtomic(filepath.Join(dir, state.Ended), data, 0o600)
}

// notedEnd is the state that the sandbox's keeper has noted, or is about to. The
// error is fs.ErrNotExist where there is none.
func notedEnd(dir string) (channel.Status, error) {
	for limit := time.Now().Add(lastLimit); ; time.Sleep(2 * time.Millisecond) {
		kept := hasKeeper(dir)
		status, err := readEnd(dir)
		if !kept || !errors.Is(err, fs.ErrNotExist) || time.Now().After(limit) {
			return status, err
		}
	}
}

// readEnd reads what a keeper has noted. The file is there from its beginning; before
// it is written whole, there is nothing in it.
func readEnd(dir string) (status channel.Status, err error) {
	data, err := os.ReadFile(filepath.Join(dir, state.Ended))
	if err != nil {
		return status, err
	}
	if err := json.Unmarshal(data, &status); err != nil {
		return channel.Status{}, fmt.Errorf("%w (%w)", fs.ErrNotExist, err)
	}
	return status, nil
}
