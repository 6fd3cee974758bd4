package draft

import (
	"path"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"

	"github.com/sbx-dev/sbx/internal/draft/cuetext"
	"github.com/sbx-dev/sbx/internal/draft/profile"
	"github.com/sbx-dev/sbx/internal/unitfile"
)

// mainPID stands for the service's first process in a command of the unit's, where
// systemd puts its number.
const mainPID = "$MAINPID"

// maxSteps is how many commands a profile may have before its own.
const maxSteps = 16

// step is a command of the unit's before its own, or besides it.
type step struct {
	unitfile.Command
	line string // of the unit
}

// commands are those of a setting, without those that speak with systemd itself, of
// which there is none inside.
func (s *service) commands(setting string) (all []step) {
	values := map[string]string{"MAINPID": mainPID}
	for _, v := range s.env {
		values[v.Name] = v.Value
	}
	for _, line := range s.unit.All("Service", setting) {
		list, err := unitfile.Commands(line.Value, values)
		speaks := func(c unitfile.Command) bool {
			return slices.ContainsFunc(c.Argv, func(arg string) bool { return strings.Contains(arg, "systemctl") })
		}
		if err == nil && len(list) == 1 && list[0].Name == "" && !speaks(list[0]) {
			all = append(all, step{list[0], line.Value})
		}
	}
	return all
}

// makesFolders are programs that prepare folders, which mounts do here.
var makesFolders = []string{"mkdir", "install", "chown", "chgrp", "chmod"}

// madeByMounts says whether a command only prepares folders that the profile's mounts
// make, with their owner.
func (s *service) madeByMounts(c step, data []place) bool {
	mounts := paths(data)
	for _, m := range s.scratch() {
		mounts = append(mounts, m.path)
	}
	any := false
	for _, arg := range c.Argv[1:] {
		if name := profile.Path(arg); name != "" {
			if any = true; !slices.Contains(mounts, name) {
				return false
			}
		}
	}
	return any
}

// prepare are the commands before the service's own.
func (s *service) prepare(data []place) ast.Expr {
	if s.known.Steps != nil && !*s.known.Steps {
		return nil
	}
	var items []cuetext.Item
	for _, c := range s.commands("ExecStartPre") {
		switch {
		case slices.Contains(makesFolders, path.Base(c.Argv[0])):
			if s.madeByMounts(c, data) {
				s.said("ExecStartPre", c.line)
			}
			continue
		case slices.Contains(c.Argv, mainPID) || len(items) == maxSteps:
			continue
		}
		argv, remark := c.Argv, "ExecStartPre of the unit"
		if c.Optional {
			argv = append([]string{"/bin/sh", "-c", `"$@" || :`, "sh"}, argv...)
			remark += ", whose failure is none"
		}
		var one cuetext.Group
		one.Add("exec", cuetext.Texts(argv), "")
		if !s.isRoot() && (c.Whole || isYes(s.unit, "PermissionsStartOnly")) {
			one.Add("user", cuetext.Text("root"), "")
		}
		if t := s.timeout("TimeoutStartSec"); t != "" {
			one.Add("timeout", cuetext.Text(t), "")
		}
		items = append(items, cuetext.Item{Value: one.Inline(), Remark: remark})
		s.said("ExecStartPre", c.line)
	}
	if len(items) == 0 {
		return nil
	}
	return cuetext.Lines(items)
}

// reload is how the service reads its configuration anew: a signal, or a command.
func (s *service) reload() (how ast.Expr, remark string) {
	var r cuetext.Group
	switch s.known.Reload {
	case "":
	case "none":
		return nil, ""
	default:
		s.done("ExecReload")
		r.Add("signal", cuetext.Text(s.known.Reload), "")
		return r.Inline(), "what the unit's ExecReload comes to"
	}
	all := s.commands("ExecReload")
	kind, _ := s.unit.Last("Service", "Type")
	switch {
	case len(all) == 0 && kind.Value == "notify-reload":
		signal, ok := s.unit.Last("Service", "ReloadSignal")
		if s.done("ReloadSignal"); !ok {
			signal.Value = "HUP"
		}
		if signal.Value = profile.Signal(signal.Value); signal.Value == "" {
			return nil, ""
		}
		r.Add("signal", cuetext.Text(signal.Value), "")
		return r.Inline(), "Type=notify-reload of the unit"
	case len(all) == 0:
		return nil, ""
	}
	last := all[len(all)-1]
	if signal := signalOf(last.Argv); signal != "" {
		r.Add("signal", cuetext.Text(signal), "")
	} else if slices.Contains(last.Argv, mainPID) || last.Whole && !s.isRoot() {
		return nil, ""
	} else {
		r.Add("exec", cuetext.Texts(last.Argv), "")
	}
	s.said("ExecReload", last.line)
	return r.Inline(), "ExecReload of the unit"
}

// signalOf is the signal that a command sends to the service's first process alone;
// "" where it does anything else.
func signalOf(argv []string) string {
	if path.Base(argv[0]) != "kill" || len(argv) < 2 || argv[len(argv)-1] != mainPID {
		return ""
	}
	words := slices.DeleteFunc(slices.Clone(argv[1:len(argv)-1]), func(w string) bool { return w == "-s" || w == "--" })
	if len(words) != 1 {
		return ""
	}
	return profile.Signal(strings.TrimPrefix(words[0], "-"))
}
