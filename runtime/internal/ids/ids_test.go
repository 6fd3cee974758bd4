package ids

import (
	"slices"
	"testing"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
)

// A machine has the files of its own id, also where its QEMU runs as somebody else:
// that id must be nobody's.
func TestAMachinesOwnIDIsItsOwn(t *testing.T) {
	m := compiler.Metadata{Machine: &compiler.MachineMetadata{ID: 700_000}}
	text, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	d := &libvirtxml.Domain{Name: "machine", Metadata: &libvirtxml.DomainMetadata{XML: text}}
	if ids := domainIDs(d); len(ids) != 1 || ids[0].first != 700_000 {
		t.Errorf("its ids are %v", ids)
	}
	d.SecLabel = []libvirtxml.DomainSecLabel{{Type: "static", Model: "dac", Label: "+700000:+64055"}}
	if ids := machineIDs(d); !slices.Equal(ids, []uint64{700_000}) {
		t.Errorf("where QEMU runs as it: %v", ids)
	}
}
