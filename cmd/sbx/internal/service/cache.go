package service

import (
	"encoding/json"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/initramfs/boot/cache"
	"github.com/sbx-dev/sbx/schema"
)

// Cache shows and clears what is kept from one start to the next.
type Cache struct {
	List  cacheListCmd  `cmd:"" default:"withargs" help:"List what is kept: unpacked kernels, initrds, saved machines and profiles, the longest unused first."`
	Clear cacheClearCmd `cmd:"" help:"Remove them. Machines that run keep theirs."`
}

func (Cache) Help() string {
	return `Unpacking a kernel takes a second or more, so what was made for a machine is kept
for the next one, up to 1 GiB in all: kernels, initrds, and machines that were saved
as they booted (kind machine; machine-started notes that the first of its like has
started, and the second one will be saved). So is what a profile or a module file came
to, up to 1,100 of them and 16 MiB, for you alone: it is used again while all files that
it is made of, its tags and sbx itself are what they were. With SBX_CACHE=off in the
environment, profiles are evaluated anew each time.

Examples:
  sbx cache
  sbx cache clear`
}

type cacheListCmd struct {
	JSON bool `help:"Print a JSON array."`
}

func (c *cacheListCmd) Run(a *verb.App) error {
	files, err := openCache(a)
	if err != nil {
		return err
	}
	entries, err := files.Entries()
	if err != nil {
		return err
	}
	profiles, err := keptProfiles()
	if err != nil {
		return err
	}
	entries = append(entries, profiles...)
	slices.SortStableFunc(entries, func(a, b cache.Entry) int { return a.Used.Compare(b.Used) })
	if c.JSON {
		e := json.NewEncoder(a.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(entries)
	}
	w := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
	say.Row(w, "KIND", "DIGEST", "SIZE", "LAST USED")
	for _, e := range entries {
		say.Fprintf(w, "%s\t%s\t%s\t%s\n", e.Kind, e.Key[:min(len(e.Key), 12)], roundedUp(e.Size), e.Used.Format(time.DateTime))
	}
	return w.Flush()
}

type cacheClearCmd struct{}

func (c *cacheClearCmd) Run(a *verb.App) error {
	files, err := openCache(a)
	if err != nil {
		return err
	}
	freed, err := files.Clear(a.Ctx)
	if err != nil {
		return err
	}
	profiles, err := verb.OpenProfiles()
	if err != nil {
		return err
	}
	defer profiles.Close()
	freed += profiles.Clear()
	if freed == 0 {
		say.Fprintln(a.Stdout, "nothing was kept")
		return nil
	}
	say.Fprintf(a.Stdout, "%s freed\n", roundedUp(freed))
	return nil
}

// keptProfiles are the profiles that are kept.
func keptProfiles() (list []cache.Entry, err error) {
	store, err := verb.OpenProfiles()
	if err != nil {
		return nil, err
	}
	defer store.Close()
	for _, e := range store.Entries() {
		list = append(list, cache.Entry{Kind: "profile", Key: e.Key, Size: e.Size, Used: e.Used})
	}
	return list, nil
}

func openCache(a *verb.App) (*cache.Cache, error) {
	host := new(verb.HostFlags).Open(a)
	defer host.Close()
	return host.Cache()
}

// roundedUp is a size in whole units of a profile's own notation.
func roundedUp(bytes int64) schema.Size {
	unit := int64(1 << 20)
	if bytes < unit {
		unit = 1 << 10
	}
	return schema.Size((bytes + unit - 1) &^ (unit - 1))
}
