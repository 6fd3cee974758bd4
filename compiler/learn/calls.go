package learn

import (
	"slices"
	"strconv"

	"github.com/sbx-dev/sbx/internal/observed"
	"github.com/sbx-dev/sbx/internal/syscalls"
	"github.com/sbx-dev/sbx/schema"
)

// byCall is the capability that the kernel asks for, of calls whose refusal or success
// tells of it (capabilities(7)).
var byCall = map[string]string{
	"chown": "chown", "fchown": "chown", "fchownat": "chown", "lchown": "chown",
	"chroot": "sys_chroot",
	"setgid": "setgid", "setgroups": "setgid", "setregid": "setgid", "setresgid": "setgid",
	"setuid": "setuid", "setreuid": "setuid", "setresuid": "setuid",
	"mknod": "mknod", "mknodat": "mknod",
	"bind":     "net_bind_service",
	"adjtimex": "sys_time", "clock_adjtime": "sys_time", "clock_settime": "sys_time", "settimeofday": "sys_time",
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

// unusedSyscalls looks at the words that open system calls: one goes if every call that
// was made would have got the same answer without it.
func (s *student) unusedSyscalls() {
	said := s.Profile.Syscalls
	with := s.answers(said)
	for i := range said.Allow {
		without := said
		without.Allow = slices.Delete(slices.Clone(said.Allow), i, i+1)
		if slices.Equal(with, s.answers(without)) {
			s.unused(schema.Elem("syscalls.allow", i), "no call was made that it opens")
		}
	}
	if without := (schema.Syscalls{Allow: said.Allow}); said.Nested && slices.Equal(with, s.answers(without)) {
		s.unused("syscalls.nested", "no call was made that it opens")
	}
}

// answers says of each call that was made whether it would be refused, if the profile
// said that.
func (s *student) answers(said schema.Syscalls) (all []bool) {
	words := append(said.Words(), syscalls.ByCapabilities(s.Profile.Capabilities)...)
	refuses, err := syscalls.Refuser(s.Architecture, words)
	for _, c := range s.Record.Calls {
		all = append(all, err == nil && refuses(c.Name, c.Args))
	}
	return all
}
