package compiler_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
)

// suggested is the address that a diagnostic says to write.
var suggested = regexp.MustCompile(`such as "([^"]+)"$`)

// A sandbox's automatic address is the same alone and among others. Where it meets
// another's, compiling says so, and what it says to write is free.
func TestAutoStaysAmongOthers(t *testing.T) {
	const on = `network: {attach: "n", create: {mode: "isolated", address: ["10.0.0.1/27", "fd00::1/64"]}, address: %s, allow: [{in: tcp: [80], from: ["a"]}]}`
	var texts []string
	for range 12 {
		texts = append(texts, fmt.Sprintf(on, `"auto"`))
	}
	all := onOneHost(t, texts...)
	alone := map[string][]string{}
	for i, p := range all {
		alone[p.Name] = p.Network.Address
		if one := onOneHost(t, texts[:i+1]...)[i]; !slices.Equal(one.Network.Address, p.Network.Address) {
			t.Errorf("%s is at %v, and among others at %v", p.Name, one.Network.Address, p.Network.Address)
		}
	}
	meet := 0
	for list := compiler.Together(all); len(list) > 0; list = compiler.Together(all) {
		meet++
		found := suggested.FindStringSubmatch(list[0].Help)
		if found == nil || meet > len(texts) {
			t.Fatalf("%v: %s", list[0], list[0].Help)
		}
		for i, p := range all {
			if p.Name == list[0].Message[:1] {
				texts[i] = fmt.Sprintf(on, fmt.Sprintf(`["auto", %q]`, found[1]))
			}
		}
		all = onOneHost(t, texts...)
	}
	if meet == 0 {
		t.Error("no two of them meet: the test shows nothing")
	}
	moved := 0
	for _, p := range all {
		if !slices.Equal(p.Network.Address, alone[p.Name]) {
			moved++
		}
	}
	if moved != meet {
		t.Errorf("%d have moved, and %d have met others", moved, meet)
	}
	for _, p := range all {
		if _, err := compiler.Compile(p, compiler.Options{Peers: compiler.Peers(all)}); err != nil {
			t.Error(err)
		}
	}
}
