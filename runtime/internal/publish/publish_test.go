package publish

import (
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	libvirtdomain "github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
)

// A program that uses this package and cannot pass connections on is told so before
// anything is changed, and none of its other verbs is started in the place of that.
func TestPortsNeedAProcessThatPassesThemOn(t *testing.T) {
	s := &bound.Sandbox{Name: "web", Metadata: &compiler.Metadata{Publish: []libvirtdomain.Published{{Listen: "127.0.0.1:80", Target: "10.0.0.2:80"}}}}
	_, err := Listen(nil, s)
	if err == nil || !strings.Contains(err.Error(), "Options.Forwarder") {
		t.Errorf("listen: %v", err)
	}
}
