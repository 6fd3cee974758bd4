package load

import (
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/schema"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/inject/embed"
	cuejson "cuelang.org/go/encoding/json"

	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load/explain"
)

// policy is the rules of an organisation: CUE packages that each profile is
// unified with once it is complete, defaults and all.
type policy struct {
	targets []target
}

// policyMark begins the file names of rules, whose project is not the profile's.
const policyMark = "sbx-policy:"

// openPolicy finds the packages of c.Policy.
func (c *Config) openPolicy() (*policy, error) {
	if c.Policy == "" {
		return nil, nil
	}
	rules := Config{Dir: c.Dir}
	targets, err := rules.targets([]string{c.Policy})
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		t.project.mark = policyMark
	}
	return &policy{targets}, nil
}

// holds reports whether a package is one of the rules, and so no profile.
func (p *policy) holds(t target) bool {
	return p != nil && slices.ContainsFunc(p.targets, func(r target) bool {
		return r.project.dir == t.project.dir && r.dir == t.dir && r.pkg == t.pkg && r.file == t.file
	})
}

// check holds a profile against every rule.
func (p *policy) check(prof *schema.Profile, src *source) (list diag.List) {
	if p == nil {
		return nil
	}
	data, err := schema.Encode(prof)
	if err != nil {
		return asList(err)
	}
	expr, err := cuejson.Extract("profile", data)
	if err != nil {
		return asList(err)
	}
	for _, t := range p.targets {
		inst, err := new(Config).build(t, full)
		if err != nil {
			return diagnoseLoad(t, err)
		}
		ctx := cuecontext.New(cuecontext.WithInjection(embed.New()))
		rules := ctx.BuildInstance(inst)
		v := rules.Unify(ctx.BuildExpr(expr))
		for _, d := range explain.Errors(src.withRules(t.project, inst.Files), nil, diag.Pos{}, v.Validate(cue.All())).List {
			list = append(list, ruled(d))
		}
	}
	return list
}

// ruled words what a rule refuses, whatever made CUE refuse it.
func ruled(d *diag.Diagnostic) *diag.Diagnostic {
	if d.Code != diag.Rule {
		d.Message = "an organisation's rule refuses it: " + d.Message
		d.Code, d.Help = diag.Rule, ""
	}
	return d
}

// withRules is the profile's source, which knows the places of a policy as well.
func (s *source) withRules(p *project, files []*ast.File) *source {
	c := *s
	c.policyDir = p.dir
	c.rules = make(map[diag.Pos]bool)
	for _, f := range files {
		c.findRules(f)
	}
	return &c
}

// policyPos takes the mark off a place in a policy.
func (s *source) policyPos(p diag.Pos) diag.Pos {
	if name, ok := strings.CutPrefix(p.File, policyMark); ok {
		p.File, p.Dir = name, s.policyDir
	}
	return p
}
