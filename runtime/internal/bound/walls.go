package bound

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/guard"
	"github.com/sbx-dev/sbx/runtime/internal/innerwall"
	"github.com/sbx-dev/sbx/runtime/internal/settings"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema/diag"
)

// bindWalls has the two walls of an interface enforce what its filter would alone,
// where this host's kernel can hold the inner one and its settings do not say otherwise.
func (s *Sandbox) bindWalls(b *compiler.Bundle, firewall settings.Firewall) error {
	if len(s.Filters) == 0 || firewall == settings.NWFilter {
		return nil
	}
	if err := innerwall.Able(); err != nil {
		return s.without(firewall, fmt.Errorf("this host's kernel cannot hold an inner wall: %w", err))
	}
	for _, filter := range slices.Sorted(maps.Keys(s.Filters)) {
		if _, has := b.Index.Walls[filter]; !has {
			if err := s.without(firewall, fmt.Errorf("the rules of the filter %s are too many for an inner wall", filter)); err != nil {
				return err
			}
		}
	}
	s.Walls = map[string]*nftables.Table{}
	for filter, w := range b.Index.Walls {
		table, err := nftables.Decode(b.File(w.Inner))
		if err != nil {
			return fmt.Errorf("%s: %w", w.Inner, err)
		}
		if outer := b.File(w.Outer); table.Name != filter || s.Filters[filter] == nil || outer == nil {
			return fmt.Errorf("%s: the walls of the filter %s are not its own", w.Inner, filter)
		}
		s.Filters[filter], s.Walls[filter] = b.File(w.Outer), table
	}
	return nil
}

// without notes why an interface has no inner wall, or refuses the sandbox for it.
func (s *Sandbox) without(firewall settings.Firewall, why error) error {
	if firewall == settings.NFT {
		return fault.New(diag.HostSettings, "%s has firewall %q, and %w", settings.Path, firewall, why)
	}
	s.FilterAlone = why
	return nil
}

// LoadWalls has the kernel hold the inner walls. It comes before the interfaces are
// there, and before the outer walls change: then what passes both is never more than
// what one of the two lists of rules says that the change is between. The guard of the
// state folder holds them from then on.
func (s *Sandbox) LoadWalls(ctx context.Context, of state.Folder) error {
	for name, table := range s.Walls {
		if err := guard.Of(of).Change(ctx, name, table, func() error { return innerwall.Load(table) }); err != nil {
			return fault.New(diag.Start, "%s: %w", s.Name, err)
		}
	}
	return nil
}

// DropWalls removes what inner walls there are behind filters that enforce all of it
// by now.
func (s *Sandbox) DropWalls(ctx context.Context, of state.Folder) error {
	for filter := range s.Filters {
		if s.Walls[filter] != nil {
			continue
		}
		if err := removeWall(ctx, of, filter); err != nil {
			return err
		}
	}
	return nil
}

func removeWall(ctx context.Context, of state.Folder, name string) error {
	return guard.Of(of).Change(ctx, name, nil, func() error { return innerwall.Remove(name) })
}

// RemoveFilter removes a filter, and the inner wall behind it, where libvirt is this
// machine's: another's kernel cannot be reached from here.
func RemoveFilter(ctx context.Context, conn *libvirt.Connect, name string, local bool, of state.Folder) error {
	if err := virt.RemoveFilter(conn, name, compiler.UUID("filter", name)); err != nil || !local {
		return err
	}
	return removeWall(ctx, of, name)
}

// checkWalls refuses a sandbox whose inner walls are not in force.
func (s *Sandbox) checkWalls() error {
	for name, table := range s.Walls {
		want, err := innerwall.Wanted(table)
		if err != nil {
			return err
		}
		have, err := innerwall.Print(name)
		if err != nil {
			return err
		}
		if have != want {
			return fault.New(diag.Start, "the inner wall %s, a table of nftables in the family bridge, is not as it was loaded: somebody else removes or changes it, such as a reload of nftables.service; try again", name)
		}
	}
	return nil
}
