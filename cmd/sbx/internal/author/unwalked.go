package author

import (
	"maps"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// unread is a file that changed, and that no profile of either side shows.
type unread struct{ name, why string }

// unwalked pairs the profiles that a walk of the folders leaves out and "sbx up"
// takes when it is given their names. Of those that changed and cannot be read, it
// says why: with other tags, they might be.
func (c *Review) unwalked(a *verb.App, before, after *side) (found [][2]*schema.Profile, left []unread, err error) {
	if before.folder == "" || after.folder == "" {
		return nil, nil, nil // files were named
	}
	from, err := before.unwalked()
	if err != nil {
		return nil, nil, err
	}
	to, err := after.unwalked()
	if err != nil {
		return nil, nil, err
	}
	names := maps.Clone(from)
	maps.Copy(names, to)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, now := from[name], to[name]
		same := old.Sum == now.Sum
		switch {
		case same && (now.Tagged || now.Data()):
			continue
		case old.Tagged || now.Tagged:
			left = append(left, unread{name, "an @if or @ignore leaves it out: review it with the --tag that it is read with, too"})
			continue
		}
		was, _ := before.loadOne(old)
		is, fault := after.loadOne(now)
		switch {
		case was != nil || is != nil:
			found = append(found, [2]*schema.Profile{was, is})
		case same:
		case now.Data() || old.Data():
			say.Fprintf(a.Stderr, "sbx: %q is no profile, and not compared\n", name)
		case now.Name != "":
			left = append(left, unread{name, "it is no profile as it stands: " + fault})
		}
	}
	return found, left, nil
}

// unwalked lists what the side's walk has left out, by name.
func (s *side) unwalked() (map[string]load.Unwalked, error) {
	byName := map[string]load.Unwalked{}
	if s.config == nil {
		return byName, nil
	}
	list, err := s.config.Unwalked(s.folder)
	for _, u := range list {
		byName[u.Name] = u
	}
	return byName, err
}

// loadOne reads the file by itself, as if a person had named it. It gives nil, and
// why, where that is no profile.
func (s *side) loadOne(u load.Unwalked) (*schema.Profile, string) {
	if u.Name == "" {
		return nil, ""
	}
	profiles, err := s.config.Load(u.Arg)
	switch {
	case err != nil:
		first, _, _ := strings.Cut(err.Error(), "\n")
		return nil, first
	case len(profiles) == 0:
		return nil, "there is none in it"
	}
	return profiles[0], ""
}

// sayUnread names what could not be compared and is not allowed, and says whether
// there is any.
func (c *Review) sayUnread(a *verb.App, left []unread) (any bool) {
	for _, u := range left {
		if !slices.Contains(c.Allow, u.name) {
			any = true
			say.Fprintf(a.Stderr, "sbx: %q changed and is not compared: %s; --allow accepts it by its path\n", u.name, u.why)
		}
	}
	return any
}
