// Package guard bounds what hostile text may cost: before it is parsed, before it is
// evaluated, and while it is, since CUE's evaluation cannot be stopped.
package guard

import (
	"errors"
	"fmt"
	"path"

	"cuelang.org/go/cue/scanner"
	"cuelang.org/go/cue/token"
)

// ErrTooLarge is the cause of every refusal to read more.
var ErrTooLarge = errors.New("too large")

// Bounds of a file's text, which are checked before anything is parsed: parsers
// and evaluators call themselves for what is nested.
const (
	maxTokens  = 200_000
	maxNesting = 100
	maxChain   = 500 // operators and colons in one expression
)

// Text refuses a file that is nested too deep or has too many words. CUE's
// scanner reads JSON and comes near enough to YAML, whose flow style nests with
// the same brackets.
func Text(name string, data []byte) error {
	switch path.Ext(name) {
	case ".cue", ".json", ".yaml", ".yml":
	default:
		return nil // taken in by @embed, as text
	}
	file := token.NewFile(name, -1, len(data))
	var s scanner.Scanner
	s.Init(file, data, func(token.Pos, string, []any) {}, 0)
	count, nesting, chain := 0, 0, 0
	for {
		_, tok, _ := s.Scan()
		count++
		switch tok {
		case token.EOF:
			return nil
		case token.LPAREN, token.LBRACK, token.LBRACE, token.INTERPOLATION:
			nesting++
			chain = 0
		case token.RPAREN, token.RBRACK, token.RBRACE:
			nesting = max(0, nesting-1)
		case token.COMMA:
			chain = 0
		default:
			if tok.IsOperator() {
				chain++
			}
		}
		switch {
		case count > maxTokens:
			return fmt.Errorf("%s is %w: it has more than %d words and signs", name, ErrTooLarge, maxTokens)
		case nesting > maxNesting:
			return fmt.Errorf("%s is %w: it nests more than %d brackets", name, ErrTooLarge, maxNesting)
		case chain > maxChain:
			return fmt.Errorf("%s is %w: it has more than %d operators in one expression", name, ErrTooLarge, maxChain)
		}
	}
}
