package unitfile

import (
	"fmt"
	"io/fs"
	"strings"
)

// Variable is a variable of the service's environment, and where it is set.
type Variable struct{ Name, Value, File string }

// Environment is what the unit's Environment= and EnvironmentFile= set, a later value
// in the place of an earlier one. missing are the files that must be there and are not.
func (u *Unit) Environment(host fs.FS) (all []Variable, missing []string, err error) {
	for _, s := range u.All("Service", "Environment") {
		words, err := Words(s.Value)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: Environment=%s: %w", s.File, s.Value, err)
		}
		for _, w := range words {
			all = set(all, w, s.File)
		}
	}
	for _, s := range u.All("Service", "EnvironmentFile") {
		name, optional := strings.CutPrefix(s.Value, "-")
		data, err := readBounded(host, strings.TrimPrefix(name, "/"))
		if err != nil {
			if !optional {
				missing = append(missing, name)
			}
			continue
		}
		for _, line := range environmentLines(string(data)) {
			all = set(all, line, name)
		}
	}
	return all, missing, nil
}

// set takes up NAME=VALUE; anything else is passed over, as systemd does.
func set(all []Variable, text, file string) []Variable {
	name, value, ok := strings.Cut(text, "=")
	if !ok || !isName(name) {
		return all
	}
	for i := range all {
		if all[i].Name == name {
			all[i] = Variable{name, value, file}
			return all
		}
	}
	return append(all, Variable{name, value, file})
}

// environmentLines are the assignments of an environment file, without their quotes.
func environmentLines(text string) (lines []string) {
	text = strings.ReplaceAll(text, "\\\n", "")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		lines = append(lines, strings.TrimSpace(name)+"="+unquoted(strings.TrimSpace(value)))
	}
	return lines
}

// unquoted is a value without the quotes around all of it.
func unquoted(value string) string {
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		inner := value[1 : n-1]
		if value[0] == '"' {
			inner = strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\$`, `$`, "\\`", "`").Replace(inner)
		}
		return inner
	}
	return value
}
