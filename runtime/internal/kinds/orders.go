package kinds

import (
	"os"
	"path/filepath"
	"time"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// ManifestName is the file in which a first process's orders stand.
const ManifestName = "manifest.json"

// ManifestFile is where the host keeps what the first process was told of the sandbox
// whose folder is dir.
func (k *Kind) ManifestFile(dir string) string { return filepath.Join(dir, k.Manifest, ManifestName) }

// Orders is what the first process was told of the sandbox whose folder is dir; nil
// where that cannot be read.
func (k *Kind) Orders(dir string) *manifest.Manifest {
	data, err := os.ReadFile(k.ManifestFile(dir))
	if err != nil {
		return nil
	}
	m, err := manifest.Decode(data)
	if err != nil {
		return nil
	}
	return m
}

// usualStop is the schema's own time for a service to stop.
const usualStop = 10 * time.Second

// StopLimit is how long the sandbox whose folder is dir may take to stop: the time that
// its profile gives the service, and some for its first process. Where the profile's
// time is not known it is the schema's own.
func (k *Kind) StopLimit(dir string) time.Duration {
	limit := usualStop
	if m := k.Orders(dir); m != nil {
		limit = time.Duration(m.Run.StopTimeout) * time.Millisecond
	}
	return limit + k.StopGrace
}
