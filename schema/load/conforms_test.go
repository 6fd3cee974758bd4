package load

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	cuejson "cuelang.org/go/encoding/json"
)

// Words of rules, as JSON: of each kind right ones, and wrong ones that are near.
var (
	somePorts = []string{`80`, `1`, `65535`, `"1-65535"`, `"8000-8010"`, `"9-8"`,
		`0`, `-1`, `65536`, `80.0`, `8e1`, `"80"`, `"08-9"`, `"0-9"`, `"1-65536"`, `"1-2-3"`, `"+1-2"`, `"1 -2"`, `""`, `"-"`, `"1-2\n"`, `99999999999999999999`, `null`, `true`, `[80]`}
	someTypes = []string{`0`, `255`, `8`, `"echo-request"`, `"echo-reply"`, `"redirect"`, `"packet-too-big"`, `"source-quench"`, `"neighbour-solicitation"`, `"timestamp-reply"`,
		`256`, `-1`, `1.5`, `"ping"`, `"8"`, `""`, `null`, `{}`}
	somePeers = []string{`"10.0.0.1"`, `"10.0.0.0/8"`, `"fd00::/8"`, `"fd00::1"`, `"::"`, `"10.0.0.5-10.0.0.9"`, `"db"`, `"a"`, `"abc"`, `"fe80::1-fe80::9"`, `"::ffff:10.0.0.1"`, `"0.0.0.0/0"`,
		`"10.0.0.256"`, `"10.0.0.01"`, `"10.0.0.0/33"`, `"10.0.0.0/08"`, `"10.0.0.0/"`, `"/8"`, `"fe80::1%eth0"`, `"fe80::1%eth0/64"`, `"DB"`, `"-db"`, `"db-"`, `"1db"`, `"d b"`, `"db\n"`, `"10.0.0.1\n"`, `"é"`, `""`, `"-"`, `"a-"`, `5`, `null`, `["db"]`, `"` + strings.Repeat("a", 63) + `"`, `"` + strings.Repeat("a", 64) + `"`}
	someCounts = []string{`1`, `65535`, `20`, `0`, `65536`, `-5`, `1.0`, `1e2`, `"5"`, `null`}
)

// TestConforms holds what Go says of rules against what the schema says.
func TestConforms(t *testing.T) {
	var def cue.Value
	var ctx *cue.Context
	r := rand.New(rand.NewPCG(1, 2))
	right := 0
	tries := 10_000
	if testing.Short() {
		tries = 1000
	}
	for n := range tries {
		if n%500 == 0 {
			def, ctx = ruleDefinition(t), cuecontext.New() // a context never forgets what it has evaluated
		}
		text := randomRule(r)
		expr, err := cuejson.Extract("rule", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		rule, err := decodeAny([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		want := ctx.BuildExpr(expr).Unify(def).Validate(cue.Concrete(true), cue.Final())
		if got := conforms(rule); got != (want == nil) {
			t.Errorf("%s: Go says %t, and CUE %v", text, got, want)
		}
		if want == nil {
			right++
		}
	}
	if right < tries/4 || right > tries*9/10 {
		t.Errorf("%d of %d rules are right", right, tries)
	}
}

func ruleDefinition(t *testing.T) cue.Value {
	defs, err := compilePlain()
	if err != nil {
		t.Fatal(err)
	}
	return defs.LookupPath(cue.MakePath(cue.Def("#Rule")))
}

// randomRule is the JSON of a rule, which is right in about half of all cases:
// every part is drawn from words of which the first ones are right.
func randomRule(r *rand.Rand) string {
	fields := map[string]string{}
	side, who := "in", "from"
	if r.IntN(2) == 0 {
		side, who = "out", "to"
	}
	fields[side] = randomMatch(r)
	if r.IntN(2) == 0 {
		fields[who] = oneOrMany(r, somePeers, 12)
	}
	if r.IntN(4) == 0 {
		fields["connections"] = word(r, someCounts, 3)
	}
	if r.IntN(20) == 0 { // nothing right has more
		fields[pick(r, []string{"in", "out", "from", "to", "tcp", "log"})] = pick(r, []string{randomMatch(r), `"db"`, `null`, `{}`, `[]`})
	}
	if r.IntN(50) == 0 {
		delete(fields, side)
	}
	return object(fields)
}

func randomMatch(r *rand.Rand) string {
	protocols := map[string]func() string{
		"tcp":    func() string { return listOf(r, somePorts, 6) },
		"udp":    func() string { return listOf(r, somePorts, 6) },
		"sctp":   func() string { return listOf(r, somePorts, 6) },
		"icmp":   func() string { return oneOrMany(r, someTypes, 6) },
		"icmpv6": func() string { return oneOrMany(r, someTypes, 6) },
		"any":    func() string { return word(r, []string{`true`, `false`, `null`, `1`}, 1) },
		"igmp":   func() string { return `[1]` },
	}
	names := []string{"tcp", "tcp", "udp", "sctp", "icmp", "icmpv6", "any"}
	fields := map[string]string{}
	for range 1 + r.IntN(20)/19 {
		name := word(r, append(names, "igmp"), len(names))
		fields[name] = protocols[name]()
	}
	if r.IntN(50) == 0 {
		return pick(r, []string{`{}`, `null`, `[80]`, `"tcp"`})
	}
	return object(fields)
}

// word is one of words, mostly of the first ones, which are right.
func word(r *rand.Rand, words []string, right int) string {
	if r.IntN(20) > 0 {
		return pick(r, words[:right])
	}
	return pick(r, words)
}

func pick(r *rand.Rand, words []string) string { return words[r.IntN(len(words))] }

func oneOrMany(r *rand.Rand, words []string, right int) string {
	if r.IntN(2) == 0 {
		return word(r, words, right)
	}
	return listOf(r, words, right)
}

// listOf is a list of a few words; of none or very many, now and then.
func listOf(r *rand.Rand, words []string, right int) string {
	n := 1 + r.IntN(3)
	if r.IntN(40) == 0 {
		n = []int{0, 32, 33, 64, 65}[r.IntN(5)]
	}
	list := make([]string, n)
	for i := range list {
		list[i] = pick(r, words[:right])
	}
	if n > 0 && n < 10 {
		list[0] = word(r, words, right)
	}
	return "[" + strings.Join(list, ",") + "]"
}

func object(fields map[string]string) string {
	raw := make(map[string]json.RawMessage)
	for name, v := range fields {
		raw[name] = json.RawMessage(v)
	}
	text, err := json.Marshal(raw)
	if err != nil {
		panic(err) // the words above are JSON
	}
	return string(text)
}
