package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// SetSysctls sets the kernel's settings, all of which are the machine's own.
func SetSysctls(list []manifest.Sysctl) error {
	for _, s := range list {
		file := filepath.Join("/proc/sys", strings.ReplaceAll(s.Name, ".", "/"))
		if err := os.WriteFile(file, []byte(s.Value), 0); err != nil {
			return fmt.Errorf("sysctls.%q: the machine's kernel does not take %q: %w", s.Name, s.Value, err)
		}
	}
	return nil
}
