package draft

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// holds are the settings whose promise is kept by every sandbox, whatever its profile.
var holds = []string{
	"DevicePolicy", "ExecPaths", "InaccessiblePaths", "KeyringMode", "LockPersonality", "NoExecPaths",
	"NoNewPrivileges", "PrivateDevices", "PrivateIPC", "PrivateMounts", "PrivateUsers", "ProcSubset",
	"ProtectClock", "ProtectControlGroups", "ProtectHome", "ProtectHostname", "ProtectKernelLogs",
	"ProtectKernelModules", "ProtectKernelTunables", "ProtectProc", "ProtectSystem", "ReadOnlyDirectories",
	"ReadOnlyPaths", "RemoveIPC", "RestrictNamespaces", "RestrictSUIDSGID", "UtmpIdentifier",
}

// about are settings about systemd itself: its log, its processes, its messages.
var about = []string{
	"FileDescriptorStoreMax", "GuessMainPID", "IgnoreSIGPIPE", "KillMode", "NonBlocking", "NotifyAccess", "PermissionsStartOnly",
	"RemainAfterExit", "SendSIGKILL", "StandardError", "StandardInput", "StandardOutput", "SuccessExitStatus",
	"SyslogFacility", "SyslogIdentifier", "SyslogLevel", "SyslogLevelPrefix",
}

// restart is what Restart= means here.
func (s *service) restart() (value, remark string) {
	setting, ok := s.unit.Last("Service", "Restart")
	s.done("Restart")
	switch {
	case !ok || setting.Value == "no":
		return "", ""
	case setting.Value == "always", setting.Value == "on-failure":
		return setting.Value, "Restart of the unit"
	}
	return "on-failure", "nearest to Restart=" + setting.Value
}

// stop is how the service is asked to end.
func (s *service) stop() (signal, timeout string) {
	if v, ok := s.unit.Last("Service", "KillSignal"); ok {
		signal = strings.TrimPrefix(v.Value, "SIG")
	}
	if s.known.Signal != "" {
		signal = s.known.Signal
	}
	if signal == "TERM" {
		signal = ""
	}
	s.done("KillSignal")
	if v, ok := s.unit.Last("Service", "TimeoutStopSec"); ok {
		if timeout = span(v.Value); timeout != "" {
			s.done("TimeoutStopSec")
		}
	}
	return signal, timeout
}

// span is a time of systemd's in a profile's words; "" where it has none for it.
func span(value string) string {
	if n, err := strconv.Atoi(value); err == nil {
		if n <= 0 || n > 1e6 {
			return ""
		}
		return strconv.Itoa(n) + "s"
	}
	for _, unit := range []struct{ long, short string }{{"min", "m"}, {"ms", "ms"}, {"sec", "s"}, {"s", "s"}, {"h", "h"}, {"hr", "h"}} {
		number, ok := strings.CutSuffix(value, unit.long)
		if n, err := strconv.Atoi(strings.TrimSpace(number)); ok && err == nil && n > 0 && n <= 1e6 {
			return strconv.Itoa(n) + unit.short
		}
	}
	return ""
}

// bytesOf is a size of systemd's in a profile's words; "" where it has none for it.
func bytesOf(value string) string {
	number := strings.TrimRight(value, "KMGTB")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > 1<<50 {
		return ""
	}
	switch unit := strings.TrimSuffix(value[len(number):], "B"); {
	case unit != "" && n < 1<<20:
		return number + unit + "iB"
	case unit == "" && n >= 1<<10:
		if n >= 1<<30 {
			return fmt.Sprintf("%dMiB", n>>20)
		}
		return fmt.Sprintf("%dKiB", n>>10)
	}
	return ""
}

// resources bounds what the service may consume.
func (s *service) resources() *group {
	var r group
	memory, why := s.known.Memory, "what it needs"
	if v, ok := s.unit.Last("Service", "MemoryMax"); ok && bytesOf(v.Value) != "" {
		memory, why = bytesOf(v.Value), "MemoryMax of the unit"
		s.done("MemoryMax")
	}
	if memory != "" {
		r.add("memory", text(memory), why)
	}
	if v, ok := s.unit.Last("Service", "CPUQuota"); ok {
		n, err := strconv.ParseFloat(strings.TrimSuffix(v.Value, "%"), 64)
		if err == nil && n >= 1 && n <= 51200 {
			r.add("cpus", ast.NewLit(token.FLOAT, strconv.FormatFloat(n/100, 'f', 2, 64)), "CPUQuota of the unit")
			s.done("CPUQuota")
		}
	}
	for _, w := range []struct {
		setting, field string
		most           int
	}{{"TasksMax", "pids", 4194304}, {"CPUWeight", "cpuWeight", 10000}, {"IOWeight", "ioWeight", 10000}} {
		v, ok := s.unit.Last("Service", w.setting)
		if n, err := strconv.Atoi(v.Value); ok && err == nil && n > 0 && n <= w.most {
			r.add(w.field, ast.NewLit(token.INT, v.Value), w.setting+" of the unit")
			s.done(w.setting)
		}
	}
	return &r
}

// settings says what has become of the settings that the profile does not say.
func (s *service) settings() (remarks []string) {
	var kept, others []string
	for _, name := range s.unit.Names("Service") {
		switch {
		case s.lowered[name], slices.Contains(about, name):
		case slices.Contains(holds, name):
			kept = append(kept, name)
		default:
			for _, v := range s.unit.All("Service", name) {
				others = append(others, name+"="+v.Value)
			}
		}
	}
	if len(kept) > 0 {
		remarks = append(remarks, "", "Holds in every sandbox, and more strictly:")
		remarks = append(remarks, wrapped(kept)...)
	}
	if needs := s.bonds(); len(needs) > 0 {
		others = append(others, needs...)
	}
	if len(others) > 0 {
		remarks = append(remarks, "", "Of the unit, not in this profile:")
		for _, o := range others {
			remarks = append(remarks, "  "+o)
		}
	}
	return remarks
}

// bonds are the other services that the unit is bound to.
func (s *service) bonds() (all []string) {
	for _, name := range []string{"Requires", "BindsTo", "Requisite"} {
		for _, v := range s.unit.All("Unit", name) {
			for other := range strings.FieldsSeq(v.Value) {
				if !strings.HasSuffix(other, ".target") {
					all = append(all, name+"="+other)
				}
			}
		}
	}
	return all
}

// wrapped are words as lines of a comment.
func wrapped(words []string) (all []string) {
	line := " "
	for i, w := range words {
		if i < len(words)-1 {
			w += ","
		}
		if len(line)+len(w) > 78 {
			all = append(all, line)
			line = " "
		}
		line += " " + w
	}
	return append(all, line)
}
