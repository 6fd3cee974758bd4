package apparmor

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/internal/pattern"
)

// Rule is a rule on files of a written profile, in words of its text.
type Rule struct {
	Text string // as it stands in the profile
	Deny bool

	access string
	paths  *regexp.Regexp
}

// fileRule is how File and Allow write one.
var fileRule = pattern.Of(`^\s*(deny )?"((?:[^"\\]|\\.)*)" ([a-z]+),$`)

// Rules are a profile's rules on files, with its variables bound to what they stand for.
// Those that hold for a file's owner alone are not among them.
func Rules(profile []byte, values map[Variable]string) ([]Rule, error) {
	var rules []Rule
	for line := range strings.Lines(string(profile)) {
		words := fileRule().FindStringSubmatch(strings.TrimRight(line, "\n"))
		if words == nil {
			continue
		}
		paths, err := pathsOf(words[2], values)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
		}
		rules = append(rules, Rule{
			Text: strings.TrimSuffix(strings.TrimSpace(line), ","), Deny: words[1] != "", access: words[3], paths: paths,
		})
	}
	return rules, nil
}

// Permits says whether the rules let somebody do to a path what a letter stands for
// ("r", "w", "x"), and by which rule; none is nil. A rule that denies has the last word,
// whatever others allow (apparmor.d(5)).
func Permits(rules []Rule, path, letter string) (by *Rule, permitted bool) {
	subject := asRunes(path)
	for i, r := range rules {
		if !strings.Contains(r.access, letter) || !r.paths.MatchString(subject) {
			continue
		}
		if r.Deny {
			return &rules[i], false
		}
		if by == nil {
			by = &rules[i]
		}
	}
	return by, by != nil
}

// asRunes has a rune for each byte: paths are bytes, and regular expressions are of
// runes.
func asRunes(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// pathsOf is the regular expression of a pattern: what convert_aaregex_to_pcre makes of
// one in AppArmor's parser_regex.c, as far as this package's patterns go.
func pathsOf(pattern string, values map[Variable]string) (*regexp.Regexp, error) {
	t := translation{rest: pattern, values: values}
	t.out.WriteString("(?s)^(?:")
	for t.rest != "" {
		if err := t.next(); err != nil {
			return nil, err
		}
	}
	t.out.WriteString(")$")
	return regexp.Compile(t.out.String())
}

// translation is a pattern on its way to a regular expression.
type translation struct {
	out    strings.Builder
	rest   string
	depth  int  // of braces
	folder bool // right behind a slash
	values map[Variable]string
}

func (t *translation) take(n int) (taken string) {
	taken, t.rest = t.rest[:n], t.rest[n:]
	return taken
}

func (t *translation) literal(s string) {
	t.out.WriteString(regexp.QuoteMeta(asRunes(s)))
	t.folder = strings.HasSuffix(s, "/")
}

func (t *translation) next() error {
	switch c := t.rest[0]; {
	case strings.HasPrefix(t.rest, "@{"):
		return t.variable()
	case c == '\\':
		return t.escape()
	case c == '[':
		end := strings.IndexByte(t.rest, ']')
		if end < 0 {
			return fmt.Errorf("a class of characters has no end")
		}
		t.out.WriteString(t.take(end + 1))
		t.folder = false
	case c == '*':
		t.any()
	case c == '{':
		t.depth++
		t.out.WriteString("(?:")
		t.take(1)
		t.folder = false
	case c == ',' && t.depth > 0:
		t.out.WriteByte('|')
		t.take(1)
		t.folder = false
	case c == '}' && t.depth > 0:
		t.depth--
		t.out.WriteByte(')')
		t.take(1)
		t.folder = false
	default:
		t.literal(t.take(1))
	}
	return nil
}

// any translates one star or more: of two, slashes are among what they take, and right
// behind a slash they take something.
func (t *translation) any() {
	stars := len(t.rest) - len(strings.TrimLeft(t.rest, "*"))
	t.take(stars)
	last := t.rest == "" || t.rest[0] == '/'
	if t.folder && last {
		t.out.WriteString("[^/]")
	}
	if stars > 1 {
		t.out.WriteString(".*")
	} else {
		t.out.WriteString("[^/]*")
	}
	t.folder = false
}

// escape translates a byte that stands for itself, as Path writes it.
func (t *translation) escape() error {
	if len(t.rest) < 4 {
		return fmt.Errorf("a backslash has no three digits behind it")
	}
	c, err := strconv.ParseUint(t.rest[1:4], 8, 8)
	if err != nil {
		return fmt.Errorf("a backslash has no three digits behind it")
	}
	t.take(4)
	t.literal(string([]byte{byte(c)}))
	return nil
}

func (t *translation) variable() error {
	end := strings.IndexByte(t.rest, '}')
	if end < 0 {
		return fmt.Errorf("a variable's name has no end")
	}
	name := Variable(t.rest[2:end])
	value, known := t.values[name]
	if !known {
		return fmt.Errorf("nothing is known of the variable %s", name)
	}
	t.take(end + 1)
	t.literal(value)
	return nil
}
