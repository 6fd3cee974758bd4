package resolve

import (
	"testing"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// /var/run is /run wherever the profile has the one and says nothing of the other.
func TestVarRun(t *testing.T) {
	mounts := func(targets ...string) (list []manifest.Mount) {
		for _, target := range targets {
			list = append(list, manifest.Mount{Kind: manifest.Tmpfs, Target: target})
		}
		return list
	}
	for _, c := range []struct {
		mounts []manifest.Mount
		link   bool
	}{
		{mounts("/run"), true},
		{mounts("/run/redis", "/var/lib/redis"), true},
		{mounts("/srv"), false},
		{mounts("/run", "/var/run"), false},
		{mounts("/run", "/var/run/redis"), false},
		{mounts("/run", "/var"), false},
	} {
		nodes, err := rootNodes(c.mounts)
		if err != nil {
			t.Fatal(err)
		}
		link := false
		for _, n := range nodes {
			link = link || n == manifest.Node{Path: "/var/run", Kind: manifest.Link, Link: "/run"}
		}
		if link != c.link {
			t.Errorf("%v: %v", c.mounts, nodes)
		}
	}
}
