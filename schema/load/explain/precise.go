package explain

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/sbx-dev/sbx/schema/diag"
)

// precise says of a text just what is wrong with it, where that is plain;
// message is what the schema says of any such text.
func precise(code, text, message string) string {
	var reason string
	switch code {
	case diag.BadPath:
		reason = pathFault(text)
	case diag.BadName:
		reason = nameFault(text)
	case diag.BadSize:
		reason = sizeFault(text)
	case diag.BadText:
		reason = textFault(text)
	}
	if reason == "" {
		return message
	}
	return strconv.Quote(diag.Short(text)) + " " + reason
}

func pathFault(path string) string {
	switch {
	case path == "":
		return "is no path"
	case path == "/":
		return "is the whole file system, which cannot be named here"
	case oddRune(path) >= 0:
		return "holds " + runeName(oddRune(path)) + ", which a path here may not"
	case path[0] == '~':
		return `begins with "~": a profile means the same for every user, so write the folder's full path`
	case path[0] != '/':
		return `is relative: a path begins with "/"`
	case hasStep(path, "..") || hasStep(path, "."):
		return `is not in its shortest form: it holds "." or ".."`
	case strings.Contains(path, "//"):
		return `is not in its shortest form: it holds "//"`
	case strings.HasSuffix(path, "/"):
		return `ends in "/", which a path here does not`
	case len([]rune(path)) > 1024:
		return fmt.Sprintf("is too long: it has %d characters, and a path may have 1024", len([]rune(path)))
	}
	return ""
}

// oddRune is the first control, format or unreadable character; -1 for none.
func oddRune(s string) rune {
	for _, r := range s {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar {
			return r
		}
	}
	return -1
}

func hasStep(path, step string) bool {
	for s := range strings.SplitSeq(path, "/") {
		if s == step {
			return true
		}
	}
	return false
}

func nameFault(name string) string {
	switch {
	case name == "":
		return "is no name"
	case len(name) > 63:
		return fmt.Sprintf("is too long: it has %d characters, and a name may have 63", len(name))
	case name[0] >= '0' && name[0] <= '9':
		return "begins with a digit, and a name begins with a letter"
	case strings.ToLower(name) != name:
		return "holds upper-case letters, which a name does not"
	case name[0] == '-' || name[len(name)-1] == '-':
		return `begins or ends with "-", and a name does not`
	}
	for _, r := range name {
		if r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return fmt.Sprintf("holds %s, which a name does not", runeName(r))
		}
	}
	return ""
}

func sizeFault(size string) string {
	if size != "" && strings.Trim(size, "0123456789") == "" {
		return "has no unit"
	}
	return ""
}

func textFault(text string) string {
	switch r := oddRune(text); {
	case strings.ContainsRune(text, 0):
		return "holds NUL, at which the text would end"
	case r >= 0 && r != '\n' && r != '\t':
		return "holds " + runeName(r) + ", which makes it read as something else"
	}
	return ""
}

// runeName names a character so that it can be told from others that look alike.
func runeName(r rune) string {
	if r < unicode.MaxASCII && unicode.IsPrint(r) {
		return strconv.Quote(string(r))
	}
	return fmt.Sprintf("the character U+%04X", r)
}
