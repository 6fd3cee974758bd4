package unitfile

import (
	"strings"

	"github.com/coreos/go-systemd/v22/unit"
)

// expand fills in the specifiers whose value does not depend on the host that the
// unit is read on, and the host's name by what the unit is to take for it;
// systemd.unit(5). Others stay as they are.
func (u *Unit) expand(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		if value, ok := u.specifier(text[i]); ok {
			b.WriteString(value)
		} else {
			b.WriteString(text[i-1 : i+1])
		}
	}
	return b.String()
}

func (u *Unit) specifier(letter byte) (value string, ok bool) {
	base := strings.TrimSuffix(u.Name, ".service")
	prefix, _, _ := strings.Cut(base, "@")
	switch letter {
	case '%':
		return "%", true
	case 'i':
		return u.Instance(), true
	case 'I':
		return unit.UnitNameUnescape(u.Instance()), true
	case 'n':
		return u.Name, true
	case 'N':
		return base, true
	case 'p':
		return prefix, true
	case 'P':
		return unit.UnitNameUnescape(prefix), true
	case 'j':
		return prefix[strings.LastIndexByte(prefix, '-')+1:], true
	case 'H', 'l':
		return u.Host, u.Host != ""
	case 'E':
		return "/etc", true
	case 't':
		return "/run", true
	case 'S':
		return "/var/lib", true
	case 'C':
		return "/var/cache", true
	case 'L':
		return "/var/log", true
	case 'T':
		return "/tmp", true
	case 'V':
		return "/var/tmp", true
	case 'h':
		return "/root", true
	case 'u', 'g':
		return "root", true
	case 'U', 'G':
		return "0", true
	}
	return "", false
}
