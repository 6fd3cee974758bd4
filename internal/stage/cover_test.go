package stage

import "testing"

// A mount that is not found at its place is either hidden by a later one, or was
// moved with a folder: the latter must not be taken for the former.
func TestWhatHidesAMount(t *testing.T) {
	table := Table{
		{id: 1, point: "/stage"},
		{id: 2, point: "/stage/srv"},
		{id: 3, point: "/stage/srv/chroot/proc", kind: "proc"},
		{id: 4, point: "/stage/srv/chroot/proc/sys", kind: "proc"},
		{id: 5, point: "/stage/etc"},
		{id: 6, point: "/stage/opt/proc", kind: "proc"},
		{id: 7, point: "/stage/opt"},
		{id: 8, point: "/stage/run/proc", kind: "proc"},
		{id: 9, point: "/stage/run/proc"},
		{id: 10, point: "/"},
		{id: 11, point: "/stage"},
	}
	hidden := map[uint64]bool{6: true, 8: true}
	for i, m := range table {
		if m.kind != "" && table.hides(i, "/stage") != hidden[m.id] {
			t.Errorf("%s (%d): hidden is %v", m.point, m.id, !hidden[m.id])
		}
	}
}
