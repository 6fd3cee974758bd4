package learn

import (
	"slices"
	"strconv"

	"github.com/sbx-dev/sbx/internal/observed"
	"github.com/sbx-dev/sbx/internal/syscalls"
)

// byCall is the capability that the kernel asks for, of calls whose refusal or success
// tells of it (capabilities(7)).
var byCall = map[string]string{
	"chown": "chown", "fchown": "chown", "fchownat": "chown", "lchown": "chown",
	"chroot": "sys_chroot",
	"setgid": "setgid", "setgroups": "setgid", "setregid": "setgid", "setresgid": "setgid",
	"setuid": "setuid", "setreuid": "setuid", "setresuid": "setuid",
	"mknod": "mknod", "mknodat": "mknod",
	"bind": "net_bind_service",
}

// survived are capabilities whose refusal programs take in their stride: they ask for
// more of something and go on with less.
var survived = map[string]string{
	"setpriority": "sys_nice", "sched_setscheduler": "sys_nice", "sched_setattr": "sys_nice",
	"prlimit64": "sys_resource", "setrlimit": "sys_resource",
	"mlock": "ipc_lock", "mlockall": "ipc_lock",
	"kill": "kill", "tgkill": "kill", // of another user's processes, as a service does that hurries its workers
}

// privilegedPorts end before this one, if the sandbox's own namespace does not say
// otherwise (ip(7)).
const privilegedPorts = 1024

// capabilityOf is what a call took, or would have taken; empty for none.
func capabilityOf(c observed.Call) string {
	if c.Name == "bind" && (c.Port == 0 || c.Port >= privilegedPorts) {
		return ""
	}
	return byCall[c.Name]
}

// learnCalls looks at the calls that were refused.
func (s *student) learnCalls() {
	words := append(s.Profile.Syscalls.Words(), syscalls.ByCapabilities(s.Profile.Capabilities)...)
	refuses, err := syscalls.Refuser(s.Architecture, words)
	if err != nil { // on an architecture that no sandbox runs on
		return
	}
	for _, c := range s.Record.Calls {
		if c.Error == "" {
			continue
		}
		refused := refuses(c.Name, c.Args)
		capability := capabilityOf(c)
		switch {
		case refused && c.Error != "EPERM":
			s.note(c.Name, "%s is told that the kernel does not have it (%s), as kernels that lack it say, and programs take another way; syscalls.allow: [%q] would open it", c.Program, c.Error, syscalls.Word(c.Name))
		case capability != "" && !slices.Contains(s.Profile.Capabilities, capability):
			s.propose("capabilities", strconv.Quote(capability), "%s was refused %s (%s)", c.Program, c.Name, c.Error)
		case refused:
			s.propose("syscalls.allow", strconv.Quote(syscalls.Word(c.Name)), "%s was refused %s, which is closed to every sandbox that does not ask", c.Program, c.Name)
		case survived[c.Name] != "" && c.Error == "EPERM":
			s.note(c.Name, "%s was refused it and went on: capabilities: [%q] would let it", c.Program, survived[c.Name])
		}
	}
}
