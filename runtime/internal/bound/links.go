package bound

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/internal/within"
	"github.com/sbx-dev/sbx/runtime/internal/rootfs"
)

// resolvConf is where programs look for name servers (resolv.conf(5)). Under
// systemd-resolved it is a link to a file in /run, which nobody exposes.
const resolvConf = "/etc/resolv.conf"

// SayLost tells of links in exposed folders that lead somewhere on the host, and
// nowhere in the sandbox. It looks at what stands in an exposed folder itself, as
// /etc/resolv.conf does, and not in all folders below, which may be many, and of that at
// the first entries.
func (s *Sandbox) SayLost() error {
	for _, m := range s.Manifest.Mounts {
		source := s.Host[m.Target]
		if source == nil || !source.IsDir() || m.Writable {
			continue
		}
		links, err := s.lostLinks(m, source)
		if err != nil {
			return err
		}
		for _, l := range links {
			s.Log(s.Name + ": " + l)
		}
	}
	return nil
}

// lostLinks says of each link in an exposed folder that is lost what to do.
func (s *Sandbox) lostLinks(m manifest.Mount, source *stage.Source) (lost []string, err error) {
	entries, err := firstEntries(source.Real, maxLooked)
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil // the sandbox's user may be another one, and without root it is this one
	}
	for _, e := range entries {
		if e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		at := path.Join(m.Target, e.Name())
		leads, err := os.Readlink(filepath.Join(source.Real, e.Name()))
		if err != nil || !s.isLost(at, leads) || !exists(filepath.Join(source.Real, e.Name())) {
			continue
		}
		switch {
		case at != resolvConf:
			lost = append(lost, fmt.Sprintf("%s leads to %s, which the sandbox does not see: expose that, too, if it is needed", at, leads))
		case len(s.Manifest.Interfaces) > 0:
			lost = append(lost, fmt.Sprintf("%s leads to %s, which the sandbox does not see, so that it has no name servers: name them with dns (sbx run --dns)", at, leads))
		}
	}
	slices.Sort(lost)
	return lost, err
}

// isLost says whether a link at a path inside leads to nothing there.
func (s *Sandbox) isLost(at, leads string) bool {
	if !path.IsAbs(leads) {
		leads = path.Join(path.Dir(at), leads)
	}
	leads = s.ThroughRootLinks(path.Clean(leads))
	isMount := func(p string) bool {
		return slices.ContainsFunc(s.Manifest.Mounts, func(m manifest.Mount) bool { return m.Target == p })
	}
	if isMount(at) || isMount(leads) {
		return false
	}
	if !isOnStage(manifest.Mount{Target: leads}) || within.Dir(leads, "/.sbx") {
		return false // the sandbox has its own
	}
	outer := rootfs.Enclosing(leads, s.Manifest.Mounts)
	switch {
	case outer == nil:
		return !s.inRoot(leads)
	case outer.Kind == manifest.Export:
		return !exists(filepath.Join(outer.Source, strings.TrimPrefix(leads, outer.Target)))
	}
	return outer.Kind == manifest.Tmpfs
}

// ThroughRootLinks follows the links that the root holds, such as /lib to /usr/lib.
func (s *Sandbox) ThroughRootLinks(p string) string {
	for _, n := range s.Manifest.Root {
		if n.Kind == manifest.Link && within.Dir(p, n.Path) {
			return path.Join(path.Dir(n.Path), n.Link, strings.TrimPrefix(p, n.Path))
		}
	}
	return p
}

// inRoot says whether the root itself holds the path, or something is mounted below.
func (s *Sandbox) inRoot(p string) bool {
	for _, n := range s.Manifest.Root {
		if within.Dir(n.Path, p) {
			return true
		}
	}
	for _, m := range s.Manifest.Mounts {
		if within.Dir(m.Target, p) {
			return true
		}
	}
	return false
}

func exists(p string) bool {
	_, err := os.Stat(p)
	return err == nil
}
