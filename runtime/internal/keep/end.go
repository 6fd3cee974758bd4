package keep

import (
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

// writeEnd notes how the command of the sandbox whose folder is dir has ended.
func writeEnd(dir string, status channel.Status) error {
	data, err := json.Marshal(status)
	if err != nil {
		return err
	}
	return hostfile.WriteAtomic(filepath.Join(dir, state.Ended), data, 0o600)
}

// NotedEnd is the state that the sandbox's keeper has noted, or is about to. The
// error is fs.ErrNotExist where there is none.
func NotedEnd(dir string) (channel.Status, error) {
	for limit := time.Now().Add(lastLimit); ; time.Sleep(2 * time.Millisecond) {
		kept := HasKeeper(dir)
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
