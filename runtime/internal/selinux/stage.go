package selinux

import (
	"slices"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/selinux"
	"github.com/sbx-dev/sbx/internal/stage"
)

// What libvirt's policy calls that which a machine may read, and write. Containers of
// sbx's module may, too.
const (
	content = "virt_content_t"
	image   = "svirt_image_t"
)

// Of is the context that Label has given the domain; empty for none.
func Of(d *libvirtxml.Domain) string {
	i := slices.IndexFunc(d.SecLabel, func(l libvirtxml.DomainSecLabel) bool { return l.Model == model })
	if i < 0 {
		return ""
	}
	return d.SecLabel[i].Label
}

// IsOwn says whether the domain is to run in types of the sandbox's own.
func IsOwn(d *libvirtxml.Domain, sandbox string) bool {
	return kindOf(Of(d)) == selinux.Type(sandbox, selinux.Process)
}

// Contexts are those of a sandbox's stage, whose domain Label has labelled or not.
func Contexts(d *libvirtxml.Domain) stage.Contexts {
	words := strings.SplitN(Of(d), ":", 5)
	if len(words) < 5 {
		return stage.Contexts{}
	}
	written := image
	if policy, own := strings.CutSuffix(words[2], "."+selinux.Process); own {
		written = policy + "." + selinux.Content
	}
	return stage.Contexts{
		Own:     strings.Join([]string{words[0], "object_r", content, words[3]}, ":"),
		Written: strings.Join([]string{words[0], "object_r", written, words[3], words[4]}, ":"),
	}
}
