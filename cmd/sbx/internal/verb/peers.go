package verb

import (
	"io/fs"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/profiles"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/schema"
)

// Peers gives the addresses of the profiles, and of the other sandboxes that their
// rules name: by the profile that stands beside as NAME.cue, else by what the host
// has, where one is given. Names that are found nowhere compiling reports.
func (f *ProfileFlags) Peers(a *App, profiles []*schema.Profile, host *runtime.Runtime) (map[string][]netip.Addr, error) {
	peers := compiler.Peers(profiles)
	var absent []string
	for _, p := range profiles {
		for _, name := range namedBy(p) {
			if slices.ContainsFunc(profiles, func(p *schema.Profile) bool { return p.Name == name }) || peers[name] != nil {
				continue
			}
			other, err := f.beside(a, p, name)
			if err != nil {
				return nil, err
			}
			if other == nil {
				absent = append(absent, name)
				continue
			}
			maps.Copy(peers, compiler.Peers([]*schema.Profile{other}))
		}
	}
	if len(absent) == 0 || host == nil {
		return peers, nil
	}
	there, err := host.List()
	if err != nil { // the name is then as unknown as one that is not up, and both are said
		say.Fprintf(a.Stderr, "sbx: which sandboxes are up is not known: %v\n", err)
	}
	for _, s := range there {
		for _, text := range s.Addresses {
			if address, err := netip.ParseAddr(text); err == nil && slices.Contains(absent, s.Name) {
				peers[s.Name] = append(peers[s.Name], address)
			}
		}
	}
	return peers, nil
}

// namedBy are the sandboxes that a profile's rules name.
func namedBy(p *schema.Profile) (names []string) {
	all := slices.Collect(maps.Values(p.Networks))
	if p.Network != nil {
		all = append(all, *p.Network)
	}
	for _, n := range all {
		for _, r := range n.Allow {
			for _, word := range slices.Concat(r.From, r.To) {
				if schema.IsName(word) {
					names = append(names, word)
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// beside is the named sandbox's profile in the folder of another one, by those of the
// tags that it has; nil where there is none.
func (f *ProfileFlags) beside(a *App, p *schema.Profile, name string) (*schema.Profile, error) {
	path, ok := fileBeside(p, name)
	if !ok {
		return nil, nil
	}
	flags := &ProfileFlags{Policy: f.Policy}
	c, _ := flags.Config(a, path)
	known, err := c.TagsOf(path)
	if err != nil {
		return nil, err
	}
	for _, tag := range f.Tag {
		key, _, _ := strings.Cut(tag, "=")
		for _, k := range known {
			if k.Key == key {
				flags.Tag = append(flags.Tag, tag)
			}
		}
	}
	found, err := flags.Load(a, path)
	if err != nil {
		return nil, err
	}
	for _, other := range found {
		if other.Name == name {
			return other, nil
		}
	}
	return nil, nil
}

// fileBeside is the file NAME.cue in the folder of a profile that stands in one.
func fileBeside(p *schema.Profile, name string) (path string, ok bool) {
	at := p.Source.Pos("name")
	path = filepath.Join(at.Dir, filepath.Dir(at.File), name+".cue")
	return path, at.Dir != "" && Exists(path)
}

// Beside says whether NAME.cue stands in the folder of a profile, or ships with it.
func Beside(p *schema.Profile, name string) bool {
	_, ok := fileBeside(p, name)
	if !ok && p.Source.Pos("name").Dir == "" {
		_, err := fs.Stat(profiles.FS(), name+".cue")
		ok = err == nil
	}
	return ok
}
