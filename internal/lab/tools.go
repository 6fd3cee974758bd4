package lab

import (
	"embed"
	"os"
	"path/filepath"
)

// tools are programs for scenarios, in /lab/tools.
//
//go:embed tools
var tools embed.FS

// writeTools puts them into the folder that a machine sees as /lab.
func writeTools(share string) error {
	dir := filepath.Join(share, "tools")
	if err := os.CopyFS(share, tools); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Chmod(filepath.Join(dir, e.Name()), 0o755); err != nil {
			return err
		}
	}
	return nil
}
