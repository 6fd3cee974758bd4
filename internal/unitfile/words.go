package unitfile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxWords is how many words a setting may have.
const maxWords = 1024

// Words splits a value as systemd does: at spaces, with quotes and C's escapes.
func Words(text string) ([]string, error) {
	var words []string
	for {
		text = strings.TrimLeft(text, " \t\r\n")
		if text == "" {
			return words, nil
		}
		if len(words) == maxWords {
			return nil, fmt.Errorf("more than %d words", maxWords)
		}
		word, rest, err := nextWord(text)
		if err != nil {
			return nil, err
		}
		words, text = append(words, word), rest
	}
}

var errQuote = errors.New("a quote is not closed")

func nextWord(text string) (word, rest string, err error) {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case quote == 0 && strings.IndexByte(" \t\r\n", c) >= 0:
			return b.String(), text[i:], nil
		case c == quote:
			quote = 0
			i++
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
			i++
		case c == '\\':
			n := escape(&b, text[i+1:])
			i += 1 + n
		default:
			b.WriteByte(c)
			i++
		}
	}
	if quote != 0 {
		return "", "", errQuote
	}
	return b.String(), "", nil
}

// simple are the escapes of one letter.
var simple = map[byte]byte{'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '\\': '\\', '"': '"', '\'': '\'', 's': ' '}

// coded are those that are followed by so many digits of a base.
var coded = map[byte]struct{ digits, base int }{'x': {2, 16}, 'u': {4, 16}, 'U': {8, 16}}

// escape writes what stands behind a backslash, and gives its length. What is no
// escape stays as it is, with its backslash.
func escape(b *strings.Builder, text string) int {
	if text == "" {
		b.WriteByte('\\')
		return 0
	}
	if c, ok := simple[text[0]]; ok {
		b.WriteByte(c)
		return 1
	}
	skip, digits, base := 0, 3, 8
	if c, ok := coded[text[0]]; ok {
		skip, digits, base = 1, c.digits, c.base
	}
	if len(text) < skip+digits {
		b.WriteByte('\\')
		return 0
	}
	n, err := strconv.ParseUint(text[skip:skip+digits], base, 32)
	switch {
	case err != nil || n == 0:
		b.WriteByte('\\')
		return 0
	case skip == 0 || text[0] == 'x':
		b.WriteByte(byte(n))
	default:
		b.WriteString(string(replaced(rune(n))))
	}
	return skip + digits
}

func replaced(r rune) rune {
	if !utf8.ValidRune(r) {
		return utf8.RuneError
	}
	return r
}

// Command is a line of ExecStart or one of its siblings.
type Command struct {
	Argv     []string
	Name     string // "@": what it is called, in place of its path
	Whole    bool   // "+" or "!": with root's privileges, whatever User= says
	Optional bool   // "-": its failure is none
}

// Commands splits a line into its commands, with the variables of env in their place.
func Commands(line string, env map[string]string) ([]Command, error) {
	words, err := Words(line)
	if err != nil {
		return nil, err
	}
	var all []Command
	var one []string
	end := func() {
		if len(one) > 0 {
			all = append(all, command(one, env))
		}
		one = nil
	}
	for _, w := range words {
		if w == ";" {
			end()
			continue
		}
		one = append(one, w)
	}
	end()
	if len(all) == 0 {
		return nil, errors.New("it names no program")
	}
	return all, nil
}

func command(words []string, env map[string]string) Command {
	var c Command
	program := words[0]
	named := false
	for ; program != ""; program = program[1:] {
		switch program[0] {
		case '@':
			named = true
			continue
		case '+', '!':
			c.Whole = true
			continue
		case '-':
			c.Optional = true
			continue
		case ':', '|': // without variables; through a shell
			continue
		}
		break
	}
	c.Argv = []string{program}
	rest := words[1:]
	if named && len(rest) > 0 {
		c.Name, rest = rest[0], rest[1:]
	}
	for _, w := range rest {
		c.Argv = append(c.Argv, substitute(w, env)...)
	}
	return c
}

// substitute puts variables into a word: one that is the whole word ("$OPTS") becomes
// as many words as it has, "${NAME}" stays within its word.
func substitute(word string, env map[string]string) []string {
	if word == `\;` {
		return []string{";"}
	}
	if name, ok := strings.CutPrefix(word, "$"); ok && isName(name) {
		words, err := Words(env[name])
		if err != nil {
			return strings.Fields(env[name])
		}
		return words
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(word, "$")
		b.WriteString(before)
		if !found {
			return []string{b.String()}
		}
		word = after
		name, rest, closed := strings.Cut(strings.TrimPrefix(after, "{"), "}")
		switch {
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			word = after[1:]
		case strings.HasPrefix(after, "{") && closed && isName(name):
			b.WriteString(env[name])
			word = rest
		default:
			b.WriteByte('$')
		}
	}
}

// isName says whether a word is the name of a variable.
func isName(word string) bool {
	for i, r := range word {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return word != ""
}
