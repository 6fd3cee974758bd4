package draft

import (
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/sbx-dev/sbx/internal/draft/amounts"
	"github.com/sbx-dev/sbx/internal/draft/cuetext"
	"github.com/sbx-dev/sbx/internal/draft/profile"
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
		signal = profile.Signal(v.Value)
		s.lowered["KillSignal="+v.Value] = signal != ""
	}
	if all := s.commands("ExecStop"); len(all) == 1 && ends(signalOf(all[0].Argv)) {
		signal = signalOf(all[0].Argv)
		s.said("ExecStop", all[0].line)
	}
	if s.known.Signal != "" {
		signal = s.known.Signal
		s.done("KillSignal")
	}
	if signal == "TERM" {
		signal = ""
	}
	return signal, s.atMost("TimeoutStopSec")
}

// ends says whether a signal asks a process to end. A unit may send one that only stops
// it before systemd sends the one that ends it, and has it go on.
func ends(signal string) bool {
	return signal != "" && !slices.Contains([]string{"STOP", "TSTP", "TTIN", "TTOU", "CONT"}, signal)
}

// usualTimeout is what systemd gives a start and a stop of which the unit says nothing;
// longest is what a stop gets here that it lets take as long as it does.
const usualTimeout, longest = "90s", "1h"

// atMost is the time that systemd gives the start or the stop: sbx's own are shorter, and
// what is killed as it writes all down, or as it mends what was not, loses it. "" where no
// unit says how it runs.
func (s *service) atMost(setting string) string {
	span := s.timeout(setting)
	if span == "" && len(s.unit.Files) > 0 {
		return usualTimeout
	}
	return span
}

// timeout is a time that the unit gives the start or the stop, or both.
func (s *service) timeout(setting string) string {
	for _, name := range []string{setting, "TimeoutSec"} {
		if v, ok := s.unit.Last("Service", name); ok {
			span := amounts.Span(v.Value)
			if setting == "TimeoutStopSec" && (v.Value == "0" || v.Value == "infinity") {
				span = longest
			}
			if span != "" {
				s.done(name)
			}
			return span
		}
	}
	return ""
}

// resources bounds what the service may consume.
func (s *service) resources() *cuetext.Group {
	var r cuetext.Group
	memory, why := s.known.Memory, "what it needs"
	for _, name := range []string{"MemoryLimit", "MemoryMax"} { // the former is the older name
		if v, ok := s.unit.Last("Service", name); ok && amounts.Bytes(v.Value) != "" {
			memory, why = amounts.Bytes(v.Value), name+" of the unit"
			s.done(name)
		}
	}
	if memory != "" {
		r.Add("memory", cuetext.Text(memory), why)
	}
	if v, ok := s.unit.Last("Service", "CPUQuota"); ok {
		n, err := strconv.ParseFloat(strings.TrimSuffix(v.Value, "%"), 64)
		if err == nil && n >= 1 && n <= 51200 {
			r.Add("cpus", ast.NewLit(token.FLOAT, strconv.FormatFloat(n/100, 'f', 2, 64)), "CPUQuota of the unit")
			s.done("CPUQuota")
		}
	}
	for _, w := range []struct {
		setting, field string
		most           int
	}{{"TasksMax", "pids", 4194304}, {"CPUWeight", "cpuWeight", 10000}, {"IOWeight", "ioWeight", 10000}} {
		v, ok := s.unit.Last("Service", w.setting)
		if n, err := strconv.Atoi(v.Value); ok && err == nil && n > 0 && n <= w.most {
			r.Add(w.field, ast.NewLit(token.INT, v.Value), w.setting+" of the unit")
			s.done(w.setting)
		}
	}
	if u := s.ulimits(); !u.Empty() {
		r.Add("ulimits", u.Expr(), "")
	}
	return &r
}

// ulimits are the unit's limits of each process.
func (s *service) ulimits() *cuetext.Group {
	var all cuetext.Group
	for _, setting := range s.unit.Names("Service") {
		name, ok := strings.CutPrefix(setting, "Limit")
		if !ok {
			continue
		}
		name = strings.ToLower(name)
		v, _ := s.unit.Last("Service", setting)
		if u, ok := amounts.Limit(name, v.Value); ok {
			all.Add(name, profile.Ulimit(name, u), setting+" of the unit")
			s.done(setting)
		}
	}
	return &all
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
				if line := name + "=" + v.Value; !s.lowered[line] {
					others = append(others, line)
				}
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

// bonds are the other units that the unit is bound to.
func (s *service) bonds() (all []string) {
	for _, name := range []string{"Requires", "BindsTo", "Requisite"} {
		for _, other := range s.listed(name) {
			if !strings.HasSuffix(other, ".target") {
				all = append(all, name+"="+other)
			}
		}
	}
	return all
}

// listed are the units that a setting of the unit's names.
func (s *service) listed(setting string) (all []string) {
	for _, v := range s.unit.All("Unit", setting) {
		all = append(all, strings.Fields(v.Value)...)
	}
	return all
}

// after are the services that the unit wants, and wants to be started before itself:
// where sandboxes have their names, these are first.
func (s *service) after() (names []string) {
	var wanted []string
	for _, name := range []string{"Wants", "Requires", "BindsTo", "Requisite"} {
		wanted = append(wanted, s.listed(name)...)
	}
	for _, other := range s.listed("After") {
		base, ok := strings.CutSuffix(other, ".service")
		if !ok || !slices.Contains(wanted, other) || strings.HasPrefix(base, "systemd-") {
			continue
		}
		if name := profile.Name(base); !slices.Contains(names, name) && len(names) < maxAfter {
			names = append(names, name)
		}
	}
	return names
}

// maxAfter is how many a profile may name in after.
const maxAfter = 64

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
