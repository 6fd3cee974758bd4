package runtime

import (
	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
)

// noteStopped notes that sbx itself has stopped the sandbox: what follows from
// that is nobody else's change. All else that others have changed stays theirs.
func (r *Runtime) noteStopped(dom *libvirt.Domain, name string, kind schema.Backend) error {
	m, err := virt.Metadata(dom)
	if virt.IsGone(err) { // a transient one is gone
		return nil
	}
	if m == nil || m.Applied == nil || err != nil {
		return err
	}
	stopped, err := observe.StoppedPrints(dom)
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
	return writeNotes(dom, &notes)
}

// writeNotes writes sbx's metadata of a domain that does not run.
func writeNotes(dom *libvirt.Domain, notes *compiler.Metadata) error {
	text, err := notes.Encode()
	if err != nil {
		return err
	}
	return setNotes(dom, text, libvirt.DOMAIN_AFFECT_CONFIG)
}
