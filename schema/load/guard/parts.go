package guard

import (
	"math"
	"strconv"

	"cuelang.org/go/cue/ast"
	cueliteral "cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

// parts is how many elements or fields an expression has at most, and what the
// heaviest of them weighs.
type parts struct{ count, each float64 }

// parts takes a list or struct that a comprehension goes over apart; of what it
// does not know, each part may be as heavy as the whole.
func (s *scale) parts(e ast.Expr) parts {
	if p, ok := s.split[e]; ok {
		return p
	}
	size := math.Max(1, s.expr(e).size)
	s.split[e] = parts{size, size} // should it refer to itself
	p := parts{size, size}
	switch e := e.(type) {
	case *ast.ParenExpr:
		p = s.parts(e.X)
	case *ast.Ident:
		switch n := e.Node.(type) {
		case *ast.Field:
			p = s.parts(n.Value)
		case *ast.LetClause:
			p = s.parts(n.Expr)
		}
	case *ast.ListLit:
		p = s.partsOf(e.Elts)
	case *ast.CallExpr:
		p = s.partsOfCall(e, p)
	}
	s.split[e] = p
	return p
}

func (s *scale) partsOf(elements []ast.Expr) parts {
	p := parts{0, 1}
	for _, e := range elements {
		times, element := 1.0, e
		if c, ok := e.(*ast.Comprehension); ok {
			times, element = s.times(c), c.Value
		}
		p.count += times
		p.each = math.Max(p.each, s.expr(element).size)
	}
	return p
}

// times is how often a comprehension gives its value.
func (s *scale) times(c *ast.Comprehension) float64 {
	times := 1.0
	for _, clause := range c.Clauses {
		if f, ok := clause.(*ast.ForClause); ok {
			times *= s.parts(f.Source).count
		}
	}
	return times
}

// rangeCount is how many numbers list.Range gives for its arguments, where they are
// written out.
func rangeCount(args []ast.Expr) (count float64, ok bool) {
	from, ok1 := number(args[0])
	to, ok2 := number(args[1])
	step, ok3 := 1.0, true
	if len(args) == 3 {
		step, ok3 = number(args[2])
	}
	if !ok1 || !ok2 || !ok3 || step == 0 {
		return 0, false
	}
	return math.Max(0, math.Ceil((to-from)/step)), true
}

// partsOfCall knows the functions of CUE's list package that make lists.
func (s *scale) partsOfCall(e *ast.CallExpr, unknown parts) parts {
	const digits = 20
	sel, ok := e.Fun.(*ast.SelectorExpr)
	if !ok || len(e.Args) < 2 {
		return unknown
	}
	switch name, _, _ := ast.LabelName(sel.Sel); name {
	case "Range":
		if count, ok := rangeCount(e.Args); ok {
			return parts{math.Max(1, count), digits}
		}
	case "Repeat":
		if times, ok := number(e.Args[1]); ok {
			l := s.parts(e.Args[0])
			return parts{l.count * math.Max(1, times), l.each}
		}
	}
	return unknown
}

// number reads a number that is written out.
func number(e ast.Expr) (float64, bool) {
	if sign, ok := e.(*ast.UnaryExpr); ok && sign.Op == token.SUB {
		f, ok := number(sign.X)
		return -f, ok
	}
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.INT && l.Kind != token.FLOAT {
		return 0, false
	}
	var n cueliteral.NumInfo
	if err := cueliteral.ParseNum(l.Value, &n); err != nil {
		return 0, false
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	return f, err == nil
}
