package resolve

import (
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/schema"
)

// Each kind of mount that a first process knows comes from a profile, and nothing
// becomes one of them for want of a kind.
func TestEveryKindOfMountIsResolved(t *testing.T) {
	for _, kind := range manifest.MountKinds {
		if _, err := kindOf(manifest.Mount{Kind: kind}); err != nil {
			t.Error(err)
		}
	}
	if len(mountKinds) != len(manifest.MountKinds) {
		t.Errorf("%d kinds are resolved of %d", len(mountKinds), len(manifest.MountKinds))
	}
	unknown := []manifest.Mount{{Kind: "hologram", Target: "/a"}}
	m := manifest.Manifest{Mounts: unknown}
	_, inRoot := rootNodes(unknown)
	for what, err := range map[string]error{"a tag": numberTags(unknown), "a place in the root": inRoot, "modules": fitMachine(&m)} {
		if err == nil || !strings.Contains(err.Error(), "hologram") {
			t.Errorf("an unknown kind of mount gets %s: %v", what, err)
		}
	}
	if m, err := mount("/a", schema.Mount{}, "root"); err == nil {
		t.Errorf("a mount of nothing became %+v", m)
	}
}
