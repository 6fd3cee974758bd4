package resolve

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/schema"
)

// Shm is in every sandbox: POSIX semaphores and shared memory need it.
const (
	Shm     = "/dev/shm"
	shmSize = 64 << 20
)

// secretsSize bounds the folder in memory that the secrets are written to: all
// that a profile may have, at the most that each may hold.
const secretsSize = 64 * manifest.MaxSecret

// mountsOf lists everything that is mounted, in the order of its path, so
// that a parent comes before what is mounted inside it.
func mountsOf(p *schema.Profile) ([]manifest.Mount, error) {
	var mounts []manifest.Mount
	if _, own := p.Mounts[Shm]; !own {
		mounts = append(mounts, manifest.Mount{Kind: manifest.Tmpfs, Target: Shm, Size: shmSize, Mode: 0o1777})
	}
	if len(p.Secrets) > 0 {
		mounts = append(mounts, manifest.Mount{Kind: manifest.Tmpfs, Target: manifest.SecretsDir, Size: secretsSize, Mode: 0o755})
	}
	if p.Display != nil {
		mounts = append(mounts, displayMount)
	}
	if _, own := p.Mounts[resolvConf]; !own {
		mounts = append(mounts, nameServers(p)...)
	}
	mounts = append(mounts, ownName(p)...)
	for _, host := range p.Expose {
		mounts = append(mounts, manifest.Mount{Kind: manifest.Export, Target: host, Source: host})
	}
	for target, m := range p.Mounts {
		lowered, err := mount(target, m, p.OwnerAt(target))
		if err != nil {
			at := fmt.Sprintf("mounts.%q", target)
			return nil, fmt.Errorf("%s: %s: %w", p.Source.Pos(at), at, err)
		}
		mounts = append(mounts, lowered)
	}
	slices.SortFunc(mounts, func(a, b manifest.Mount) int {
		return cmp.Or(strings.Compare(a.Target, b.Target), strings.Compare(a.Kind, b.Kind)) // an export before what is made of it
	})
	return mounts, numberTags(mounts)
}

// mountKind is what a kind of mount asks of every sandbox.
type mountKind struct {
	kind  string // the manifest's
	named func(schema.Mount) bool
	fill  func(*manifest.Mount, schema.Mount)

	point   string                      // what it is mounted on in the root; "" for what only the host knows
	tag     string                      // by what a machine, which sees no host paths, knows it
	why     func(manifest.Mount) string // the part of the profile that brings it into a machine
	modules []string                    // which that takes there
}

var mountKinds = []mountKind{
	{
		kind:  manifest.Export,
		named: func(m schema.Mount) bool { return m.Host != "" },
		fill:  func(out *manifest.Mount, m schema.Mount) { out.Source, out.Size = m.Host, int64(m.Size) },
		tag:   "export",
		why:   func(m manifest.Mount) string { return "the host path " + m.Source }, modules: []string{"9pnet_virtio", "9p"},
	},
	{
		kind:  manifest.Image,
		named: func(m schema.Mount) bool { return m.Image != "" },
		fill:  func(out *manifest.Mount, m schema.Mount) { out.Source, out.Format = m.Image, m.Format },
		point: manifest.Dir,
		tag:   "image",
		why:   func(m manifest.Mount) string { return fmt.Sprintf("mounts.%q.image", m.Target) }, modules: append([]string{"virtio_blk"}, manifest.ImageFileSystems...),
	},
	{
		kind:  manifest.Inline,
		named: func(m schema.Mount) bool { return m.File != nil },
		fill:  func(out *manifest.Mount, m schema.Mount) { out.Content = *m.File },
		point: manifest.File,
	},
	{
		kind:  manifest.Tmpfs,
		named: func(m schema.Mount) bool { return m.Tmpfs != 0 },
		fill:  func(out *manifest.Mount, m schema.Mount) { out.Size = int64(m.Tmpfs) },
		point: manifest.Dir,
	},
	{
		kind:  manifest.Figures,
		named: func(m schema.Mount) bool { return m.Figures != "" },
		fill:  func(out *manifest.Mount, m schema.Mount) { out.Source = m.Figures },
		point: manifest.Dir,
	},
	{
		kind:  manifest.Socket,
		named: func(m schema.Mount) bool { return m.Socket != nil },
		fill: func(out *manifest.Mount, m schema.Mount) {
			out.Target, out.Source = path.Split(out.Target)
			out.Target = path.Clean(out.Target)
			out.From, out.To, out.Writable = m.Socket.From, m.Socket.To, m.Serves()
		},
		point: manifest.Dir,
	},
}

func kindOf(m manifest.Mount) (mountKind, error) {
	for _, k := range mountKinds {
		if k.kind == m.Kind {
			return k, nil
		}
	}
	return mountKind{}, fmt.Errorf("mounts.%q: there are no mounts of the kind %q", m.Target, m.Kind)
}

// mount is what the first process is told of one of the profile's mounts.
func mount(target string, m schema.Mount, owner string) (manifest.Mount, error) {
	bits, err := mode(m.Mode)
	if err != nil {
		return manifest.Mount{}, err
	}
	out := manifest.Mount{Target: target, Mode: bits, Writable: m.Writable, Sockets: m.Sockets, IDs: m.IDs}
	if owner != "root" && m.Makes() {
		out.Owner = owner
	}
	for _, k := range mountKinds {
		if k.named(m) {
			out.Kind = k.kind
			k.fill(&out, m)
			return out, nil
		}
	}
	return out, fmt.Errorf("it does not say what is mounted")
}

// numberTags names what a machine is to know by a name. A 9p tag holds 31 bytes and
// a disk's serial 20, so a path would not do.
func numberTags(mounts []manifest.Mount) error {
	count := map[string]int{}
	for i := range mounts {
		k, err := kindOf(mounts[i])
		if err != nil {
			return err
		}
		if k.tag != "" {
			mounts[i].Tag = k.tag + strconv.Itoa(count[k.tag])
			count[k.tag]++
		}
	}
	return nil
}
