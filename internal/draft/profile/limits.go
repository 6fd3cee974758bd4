package profile

import (
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/sbx-dev/sbx/internal/draft/amounts"
	"github.com/sbx-dev/sbx/internal/draft/cuetext"
	"github.com/sbx-dev/sbx/schema"
)

// Ulimit is a limit as a profile says it, one amount or two.
func Ulimit(name string, u schema.Ulimit) ast.Expr {
	amount := func(a schema.Amount) ast.Expr {
		word, isNumber := amounts.Text(name, a)
		if isNumber {
			return ast.NewLit(token.INT, word)
		}
		return cuetext.Text(word)
	}
	if u.Soft == u.Hard {
		return amount(u.Hard)
	}
	var two cuetext.Group
	two.Add("soft", amount(u.Soft), "")
	two.Add("hard", amount(u.Hard), "")
	return two.Inline()
}

// signals are those that profiles have names for, and their numbers.
var signals = map[string]string{
	"HUP": "1", "INT": "2", "QUIT": "3", "ABRT": "6", "KILL": "9", "USR1": "10", "USR2": "12", "PIPE": "13",
	"ALRM": "14", "TERM": "15", "CONT": "18", "STOP": "19", "TSTP": "20", "TTIN": "21", "TTOU": "22", "URG": "23",
	"VTALRM": "26", "PROF": "27", "WINCH": "28", "IO": "29", "PWR": "30",
}

// Signal is a profile's name for a signal that a unit names or counts; "" where it
// has none.
func Signal(text string) string {
	for name, number := range signals {
		if text == number || strings.TrimPrefix(strings.ToUpper(text), "SIG") == name {
			return name
		}
	}
	return ""
}
