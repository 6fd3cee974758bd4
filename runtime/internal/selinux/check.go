package selinux

import (
	"fmt"
	"strings"

	"github.com/sbx-dev/sbx/compiler/selinux"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Check refuses a path of the host that the sandbox, in the context of its domain, could
// not read, or not write where it is to be writable: it would be told of no reason. What
// lies below a folder may be something else again.
func Check(process string, source *stage.Source, writable bool) error {
	of := source.Context()
	if process == "" || of == "" || !thisHost.SELinuxEnforces() {
		return nil
	}
	class := "file"
	if source.IsDir() {
		class = "dir"
	}
	for _, verb := range []string{"read", "write"} {
		if verb == "write" && !writable {
			continue
		}
		allowed, err := thisHost.Allows(process, of, class, verb)
		if err != nil {
			return fmt.Errorf("cannot ask SELinux's policy of %s: %w", source.Path, err)
		}
		if !allowed {
			return fault.New(diag.SELinux, "%s is %s to SELinux, whose policy does not let %s %s it: %s",
				source.Path, kindOf(of), kindOf(process), verb, mend(process, verb, source))
		}
	}
	return nil
}

// mend is what lets a sandbox do so.
func mend(process, verb string, source *stage.Source) string {
	own := strings.HasSuffix(kindOf(process), "."+selinux.Process)
	switch {
	case own && verb == "write":
		return fmt.Sprintf("its policy says that this is its own, and the host has not given it yet: restorecon -RF %s", source.Real)
	case own:
		return "no sandbox sees secrets of the host, homes, or what is another sandbox's: docs/running.md, SELinux"
	case verb == "read":
		return "run it as a container (-b lxc), which may read more, or as a service (sbx up), which has a policy of its own"
	}
	below := ""
	if source.IsDir() {
		below = "(/.*)?"
	}
	return fmt.Sprintf("semanage fcontext -a -t %s '%s%s' && restorecon -R %s", image, source.Real, below, source.Real)
}

// kindOf is the type in a context.
func kindOf(context string) string {
	if words := strings.Split(context, ":"); len(words) > 2 {
		return words[2]
	}
	return context
}
