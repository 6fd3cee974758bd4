package manifest_test

import (
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// What JSON cannot hold is refused wherever it stands: encoding/json would have the
// guest do something else.
func TestAManifestHoldsText(t *testing.T) {
	const bad = "a\xffb"
	for name, m := range map[string]manifest.Manifest{
		"name":    {Name: bad},
		"mount":   {Mounts: []manifest.Mount{{Target: "/ok"}, {Target: "/" + bad}}},
		"command": {Run: manifest.Run{Argv: []string{"/bin/echo", bad}}},
		"secret":  {Secrets: []string{bad}},
	} {
		if _, err := m.Encode(); err == nil || !strings.Contains(err.Error(), `a\xffb`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := manifest.Manifest{Version: manifest.Version, Name: "ok\ufffd", Run: manifest.Run{Argv: []string{"\\ufffd", "ü"}}}
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := manifest.Decode(data); err != nil || back.Name != m.Name || back.Run.Argv[0] != m.Run.Argv[0] {
		t.Errorf("%v, %v", back, err)
	}
}

// A manifest that mounts what this sbx does not know is refused before anything of it
// is done.
func TestUnknownKindsOfMountAreRefused(t *testing.T) {
	m := manifest.Manifest{Version: manifest.Version}
	for _, kind := range append(manifest.MountKinds, "hologram") {
		m.Mounts = append(m.Mounts, manifest.Mount{Kind: kind, Target: "/" + kind})
		data, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := manifest.Decode(data); (err != nil) != (kind == "hologram") || err != nil && !strings.Contains(err.Error(), "/hologram") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
