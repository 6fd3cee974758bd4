package ids

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/guard"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema/diag"
)

// idRange is a range of host user or group ids that something already has.
type idRange struct {
	first, count uint64
	owner        string
	mend         string // how to have others, for one of the sandbox that is checked
}

func (r idRange) overlaps(other idRange) bool {
	return r.first < other.first+other.count && other.first < r.first+r.count
}

// Check refuses a domain whose host ids belong to another domain, to a range
// of /etc/subuid or /etc/subgid, or to a user or group of this machine: files of
// the one would be open to the other.
func Check(conn *libvirt.Connect, d *libvirtxml.Domain) error {
	own := domainIDs(d)
	if os.Geteuid() == 0 {
		own = append(own, helperIDs(d.Name))
	}
	if len(own) == 0 {
		return nil
	}
	taken, err := hostIDs()
	if err != nil {
		return err
	}
	taken = append(taken, idRange{uint64(guard.ID()), 1, "sbx's guard of inner walls", ""})
	others, err := otherDomainIDs(conn, d.Name)
	if err != nil {
		return err
	}
	for _, o := range own {
		for _, t := range append(taken, others...) {
			if o.overlaps(t) {
				return fault.New(diag.IDsTaken, "%s: its host ids %d to %d overlap with %d to %d of %s: %s",
					d.Name, o.first, o.first+o.count-1, t.first, t.first+t.count-1, t.owner, o.mend)
			}
		}
	}
	return nil
}

// helperIDs is the id of the processes beside the named sandbox.
func helperIDs(name string) idRange {
	return idRange{uint64(compiler.HelperID(name)), 1, "the processes beside " + name, "give the sandbox another name, from which that id is derived"}
}

func domainIDs(d *libvirtxml.Domain) []idRange {
	const mend = "give it a range of its own with users: base in its profile"
	var list []idRange
	for _, id := range machineIDs(d) {
		list = append(list, idRange{id, 1, "the domain " + d.Name, mend})
	}
	if d.IDMap == nil {
		return list
	}
	for _, m := range append(d.IDMap.UIDs[:len(d.IDMap.UIDs):len(d.IDMap.UIDs)], d.IDMap.GIDs...) {
		list = append(list, idRange{uint64(m.Target), uint64(m.Count), "the domain " + d.Name, mend})
	}
	return list
}

// otherDomainIDs are the ranges of all containers but the named one, whoever
// made them.
func otherDomainIDs(conn *libvirt.Connect, name string) ([]idRange, error) {
	domains, err := conn.ListAllDomains(0)
	if err != nil {
		return nil, fmt.Errorf("cannot list domains: %w", virt.Plain(err))
	}
	var list []idRange
	for i := range domains {
		d, err := virt.Described(&domains[i], libvirt.DOMAIN_XML_INACTIVE)
		domains[i].Free()
		switch {
		case virt.IsGone(err): // meanwhile
		case err != nil:
			return nil, err
		case d.Name != name:
			list = append(list, domainIDs(d)...)
			if d.Metadata != nil && strings.Contains(d.Metadata.XML, compiler.MetadataURI) {
				list = append(list, helperIDs(d.Name))
			}
		}
	}
	return list, nil
}

// hostIDs are the ids that this machine's own files give away.
func hostIDs() ([]idRange, error) {
	var list []idRange
	for _, file := range []struct {
		path         string
		first, count int // columns; a count of 0 is one id
	}{
		{"/etc/subuid", 1, 2}, {"/etc/subgid", 1, 2},
		{"/etc/passwd", 2, 0}, {"/etc/group", 2, 0},
	} {
		ranges, err := readIDs(file.path, file.first, file.count)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		list = append(list, ranges...)
	}
	return list, nil
}

// readIDs reads the ids of a file of lines with colons; a line that does not
// hold them takes none.
func readIDs(path string, first, count int) ([]idRange, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []idRange
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		columns := strings.Split(lines.Text(), ":")
		if len(columns) <= max(first, count) {
			continue
		}
		from, err := strconv.ParseUint(columns[first], 10, 32)
		if err != nil {
			continue
		}
		n := uint64(1)
		if count != 0 {
			if n, err = strconv.ParseUint(columns[count], 10, 33); err != nil {
				continue
			}
		}
		list = append(list, idRange{first: from, count: n, owner: columns[0] + " in " + path})
	}
	return list, lines.Err()
}

// machineIDs are the host ids whose files a machine has: the one that its QEMU runs
// as, but for libvirt's own user, and the one that sbx has given it (see takeOwnFiles).
func machineIDs(d *libvirtxml.Domain) []uint64 {
	var ids []uint64
	for _, l := range d.SecLabel {
		label, numeric := strings.CutPrefix(l.Label, "+")
		uid, _, _ := strings.Cut(label, ":")
		id, err := strconv.ParseUint(uid, 10, 32)
		if l.Model != "dac" || l.Type != "static" || !numeric || err != nil {
			continue
		}
		if shared, err := qemu.FindAccount(); err != nil || id != uint64(shared.Shared.UID) {
			ids = append(ids, id)
		}
	}
	if d.Metadata == nil {
		return ids
	}
	m, err := compiler.DecodeMetadata(d.Metadata.XML)
	if err == nil && m.Machine != nil && m.Machine.ID != 0 && !slices.Contains(ids, uint64(m.Machine.ID)) {
		ids = append(ids, uint64(m.Machine.ID))
	}
	return ids
}
