package compiler

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/syscalls"
	"github.com/sbx-dev/sbx/schema"
)

// Every sandbox has a /dev/shm: POSIX semaphores and shared memory need one.
const (
	shm     = "/dev/shm"
	shmSize = 64 << 20
)

// secretsSize bounds the folder in memory that the secrets are written to: all
// that a profile may have, at the most that each may hold.
const secretsSize = 64 * manifest.MaxSecret

// newManifest tells the first process what both backends have in common.
func newManifest(s *sandbox, o Options) (*manifest.Manifest, error) {
	mounts, err := manifestMounts(s.Profile)
	if err != nil {
		return nil, err
	}
	run, err := manifestRun(s.Profile)
	if err != nil {
		return nil, err
	}
	m := &manifest.Manifest{
		Version:  manifest.Version,
		Name:     s.Name,
		Hostname: s.Hostname,
		Root:     rootNodes(mounts),
		Mounts:   mounts,
		Secrets:  slices.Sorted(maps.Keys(s.Secrets)),
		Service:  !o.Ephemeral,
		Run:      run,
	}
	for _, c := range s.cards {
		m.Interfaces = append(m.Interfaces, manifestInterface(c))
	}
	if s.Backend.BootsKernel() {
		fitMachine(m)
	}
	return m, nil
}

func manifestInterface(c networkCard) manifest.Interface {
	i := manifest.Interface{
		Name:      c.guest,
		MAC:       c.mac.String(),
		Addresses: c.Address,
		Gateways:  c.Gateway,
		DHCP:      c.DHCP,
	}
	for _, r := range c.Routes {
		i.Routes = append(i.Routes, manifest.Route{To: r.To, Via: r.Via})
	}
	return i
}

func manifestRun(p *schema.Profile) (manifest.Run, error) {
	umask, err := mode(p.Run.Umask)
	if err != nil {
		return manifest.Run{}, fmt.Errorf("%s: run.umask: %w", p.Source.Pos("run.umask"), err)
	}
	r := manifest.Run{
		Argv:         p.Run.Argv,
		Env:          environment(p.Run.Env),
		Workdir:      p.Run.Workdir,
		User:         p.Run.User,
		Umask:        umask,
		Capabilities: slices.Sorted(slices.Values(p.Capabilities)),
		UserHolds:    slices.Sorted(slices.Values(p.Run.Capabilities)),
		Syscalls:     openSyscalls(p),
		Pids:         p.Resources.Pids,
		Restart:      string(p.Run.Restart),
		StopSignal:   p.Run.Stop.Signal,
		StopTimeout:  milliseconds(p.Run.Stop.Timeout),
	}
	if ready := p.Run.Ready; ready != nil {
		r.Ready = &manifest.Ready{Probe: manifestProbe(ready.Probe), Timeout: milliseconds(ready.Timeout)}
	}
	if health := p.Run.Health; health != nil {
		r.Health = &manifest.Health{Probe: manifestProbe(health.Probe), Every: milliseconds(health.Every), Failures: health.Failures}
	}
	return r, nil
}

// openSyscalls are those that the profile opens by name, and those without which a
// capability of its would be worth nothing.
func openSyscalls(p *schema.Profile) []string {
	words := append(p.Syscalls.Words(), syscalls.ByCapabilities(p.Capabilities)...)
	return slices.Compact(slices.Sorted(slices.Values(words)))
}

func manifestProbe(p schema.Probe) manifest.Probe {
	m := manifest.Probe{TCP: p.TCP, File: p.File, Exec: p.Exec}
	if p.HTTP != nil {
		m.HTTPPort, m.HTTPPath = p.HTTP.Port, p.HTTP.Path
	}
	return m
}

func environment(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// manifestMounts lists everything that is mounted, in the order of its path, so
// that a parent comes before what is mounted inside it.
func manifestMounts(p *schema.Profile) ([]manifest.Mount, error) {
	var mounts []manifest.Mount
	if _, own := p.Mounts[shm]; !own {
		mounts = append(mounts, manifest.Mount{Kind: manifest.Tmpfs, Target: shm, Size: shmSize, Mode: 0o1777})
	}
	if len(p.Secrets) > 0 {
		mounts = append(mounts, manifest.Mount{Kind: manifest.Tmpfs, Target: manifest.SecretsDir, Size: secretsSize, Mode: 0o755})
	}
	if _, own := p.Mounts[resolvConf]; !own {
		mounts = append(mounts, nameServers(p)...)
	}
	mounts = append(mounts, ownName(p)...)
	for _, host := range p.Expose {
		mounts = append(mounts, manifest.Mount{Kind: manifest.Export, Target: host, Source: host})
	}
	for target, m := range p.Mounts {
		lowered, err := manifestMount(target, m)
		if err != nil {
			at := fmt.Sprintf("mounts.%q", target)
			return nil, fmt.Errorf("%s: %s: %w", p.Source.Pos(at), at, err)
		}
		mounts = append(mounts, lowered)
	}
	slices.SortFunc(mounts, func(a, b manifest.Mount) int {
		return cmp.Or(strings.Compare(a.Target, b.Target), strings.Compare(a.Kind, b.Kind)) // an export before what is made of it
	})
	numberTags(mounts)
	return mounts, nil
}

// resolvConf is where programs look for name servers (resolv.conf(5)).
const resolvConf = "/etc/resolv.conf"

// nameServers is the file that names those of the profile's networks, if any.
func nameServers(p *schema.Profile) []manifest.Mount {
	var networks []schema.Network
	if p.Network != nil {
		networks = append(networks, *p.Network)
	}
	for _, key := range slices.Sorted(maps.Keys(p.Networks)) {
		networks = append(networks, p.Networks[key])
	}
	var content strings.Builder
	for _, n := range networks {
		for _, server := range n.DNS {
			fmt.Fprintln(&content, "nameserver", server)
		}
	}
	if content.Len() == 0 {
		return nil
	}
	return []manifest.Mount{{Kind: manifest.Inline, Target: resolvConf, Content: content.String(), Mode: 0o644}}
}

func manifestMount(target string, m schema.Mount) (manifest.Mount, error) {
	bits, err := mode(m.Mode)
	if err != nil {
		return manifest.Mount{}, err
	}
	switch out := (manifest.Mount{Target: target, Mode: bits, Writable: m.Writable, Sockets: m.Sockets}); {
	case m.Host != "":
		out.Kind, out.Source = manifest.Export, m.Host
		return out, nil
	case m.Image != "":
		out.Kind, out.Source, out.Format = manifest.Image, m.Image, m.Format
		return out, nil
	case m.File != nil:
		out.Kind, out.Content = manifest.Inline, *m.File
		return out, nil
	default:
		out.Kind, out.Size = manifest.Tmpfs, int64(m.Tmpfs)
		return out, nil
	}
}

// numberTags names the exports and images for a machine, which sees no host
// paths. A 9p tag holds 31 bytes and a disk's serial 20, so a path would not do.
func numberTags(mounts []manifest.Mount) {
	exports, images := 0, 0
	for i := range mounts {
		switch mounts[i].Kind {
		case manifest.Export:
			mounts[i].Tag = "export" + strconv.Itoa(exports)
			exports++
		case manifest.Image:
			mounts[i].Tag = "image" + strconv.Itoa(images)
			images++
		}
	}
}

// mergedFolders are the links of a merged /usr (file-hierarchy(7)).
var mergedFolders = []string{"bin", "lib", "lib64", "sbin"}

// rootNodes lists what must stand in the empty root so that everything can be
// mounted: parent folders, the points of tmpfs and inline files, and the links
// of a merged /usr. Whether an exported path is a folder or a file is known only
// on the host, so its own mount point is made there.
func rootNodes(mounts []manifest.Mount) []manifest.Node {
	nodes := map[string]manifest.Node{}
	dir := func(p string) {
		for ; p != "/" && nodes[p].Kind == ""; p = path.Dir(p) {
			nodes[p] = manifest.Node{Path: p, Kind: manifest.Dir}
		}
	}
	covered := map[string]bool{} // mounted over, so nothing below can stand in the root
	for _, p := range []string{"/.sbx", "/dev", "/proc", "/sys"} {
		dir(p)
		covered[p] = true
	}
	for _, m := range mounts {
		if isBelow(m.Target, covered) {
			continue
		}
		covered[m.Target] = true
		dir(path.Dir(m.Target))
		switch m.Kind {
		case manifest.Tmpfs, manifest.Image:
			dir(m.Target)
		case manifest.Inline:
			nodes[m.Target] = manifest.Node{Path: m.Target, Kind: manifest.File}
		}
	}
	if covered["/usr"] {
		for _, name := range mergedFolders {
			if p := "/" + name; !covered[p] && nodes[p].Kind == "" {
				nodes[p] = manifest.Node{Path: p, Kind: manifest.Link, Link: "usr/" + name}
			}
		}
	}
	sorted := slices.Collect(maps.Values(nodes))
	slices.SortFunc(sorted, func(a, b manifest.Node) int { return strings.Compare(a.Path, b.Path) })
	return sorted
}

// isBelow says whether p lies inside one of the folders.
func isBelow(p string, folders map[string]bool) bool {
	for p != "/" {
		p = path.Dir(p)
		if folders[p] {
			return true
		}
	}
	return false
}

// mode reads permission bits as a profile writes them; the empty string is 0.
func mode(s string) (m manifest.Mode, err error) {
	if s == "" {
		return 0, nil
	}
	err = m.UnmarshalText([]byte(s))
	return m, err
}

func milliseconds(d schema.Duration) int64 { return time.Duration(d).Milliseconds() }
