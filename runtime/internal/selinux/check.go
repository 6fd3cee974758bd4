package selinux

import (
	"fmt"
	"strings"

	"github.com/sbx-dev/sbx/compiler/selinux"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Check refuses a path of the host that the sandbox, in the context of its domain, could
// not read, or not write where it is to be writable, and an image that libvirtd could not
// look at: it would be told of no reason. What lies below a folder may be something else
// again.
func Check(process string, source *stage.Source, m manifest.Mount) error {
	of := source.Context()
	if process == "" || of == "" || !thisHost.SELinuxEnforces() {
		return nil
	}
	class := "file"
	if source.IsDir() {
		class = "dir"
	}
	for _, ask := range asks(process, m) {
		allowed, err := thisHost.Allows(ask.who, of, class, ask.verb)
		if err != nil {
			return fmt.Errorf("cannot ask SELinux's policy of %s: %w", source.Path, err)
		}
		if !allowed {
			return fault.New(diag.SELinux, "%s is %s to SELinux, whose policy does not let %s %s it: %s",
				source.Path, kindOf(of), kindOf(ask.who), ask.verb, mend(process, m, source))
		}
	}
	return nil
}

// ask is a question to the policy.
type ask struct{ who, verb string }

// asks are those of a mount. A sandbox's own policy, which lets libvirtd look at its
// images, may not be there yet.
func asks(process string, m manifest.Mount) []ask {
	all := []ask{{process, "read"}}
	if m.Kind == manifest.Image && !m.Writable && !isOwn(process) {
		if words := strings.Split(process, ":"); len(words) > 3 {
			all = append(all, ask{strings.Join([]string{words[0], words[1], libvirtd, words[3]}, ":"), "read"})
		}
	}
	if m.Writable {
		all = append(all, ask{process, "write"})
	}
	return all
}

// libvirtd is the type of libvirt's daemon, as packaging/selinux/sbx.cil has it, too.
const libvirtd = "virtd_t"

// isOwn says whether a context is of a sandbox's own policy.
func isOwn(process string) bool { return strings.HasSuffix(kindOf(process), "."+selinux.Process) }

// mend is what lets a sandbox do so.
func mend(process string, m manifest.Mount, source *stage.Source) string {
	switch {
	case isOwn(process) && m.Writable: // what fails to start takes its policy with it, by which the host would know
		return fmt.Sprintf("its policy says that this is its own, and the host has not given it yet: sbx up --keep-failed, which has the policy stay; restorecon -RF %s; and sbx up", source.Real)
	case isOwn(process):
		return "no sandbox sees secrets of the host, homes, or what is another sandbox's: docs/running.md, SELinux"
	case m.Writable: // what it writes it may read, too
		return call(image, source)
	case m.Kind == manifest.Image: // which machines alone have
		return fmt.Sprintf("run it as a service (sbx up), which has a policy of its own, or let all machines read it: %s", call(content, source))
	}
	return "run it as a container (-b lxc), which may read more, or as a service (sbx up), which has a policy of its own"
}

// call is what gives a path of the host another type, for good.
func call(kind string, source *stage.Source) string {
	below := ""
	if source.IsDir() {
		below = "(/.*)?"
	}
	return fmt.Sprintf("semanage fcontext -a -t %s '%s%s' && restorecon -R %s", kind, source.Real, below, source.Real)
}

// kindOf is the type in a context.
func kindOf(context string) string {
	if words := strings.Split(context, ":"); len(words) > 2 {
		return words[2]
	}
	return context
}
