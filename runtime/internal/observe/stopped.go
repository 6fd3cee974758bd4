package observe

import (
	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// NoteStopped notes that sbx itself has stopped the sandbox: what follows from
// that is nobody else's change. All else that others have changed stays theirs.
func NoteStopped(dom *libvirt.Domain) error {
	m, err := virt.Metadata(dom)
	if virt.IsGone(err) { // a transient one is gone
		return nil
	}
	if m == nil || m.Applied == nil || err != nil {
		return err
	}
	stopped, err := stoppedPrints(dom)
	if err != nil {
		return virt.Plain(err)
	}
	applied := *m.Applied
	applied.Objects = nil
	for _, o := range m.Applied.Objects {
		if now, follows := stopped[o.Name]; follows {
			o.Fingerprint = now
		}
		applied.Objects = append(applied.Objects, o)
	}
	notes := *m
	notes.Applied = &applied
	return virt.WriteNotes(dom, &notes)
}
