package runtime_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/randomprofile"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
)

// prefixedKeys has interfaces of which one's key is the front of the other's, so
// that their documents and their names sort in different ways.
const prefixedKeys = `package p

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "twice"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "1000"]
	expose: ["/usr", "/etc/ld.so.cache"]
	networks: {
		lan: {attach: "twice", create: {mode: "isolated", address: "10.87.0.1/24"}, address: "10.87.0.2/24", allow: [{in: tcp: [80]}]}
		"lan-b": {attach: "twice-b", create: {mode: "isolated", address: "10.87.1.1/24"}, address: "10.87.1.2/24", allow: [{in: tcp: [81]}]}
		"lan-c": {attach: "twice-b", create: {mode: "isolated", address: "10.87.1.1/24"}, address: "10.87.1.3/24"}
	}
}
`

// A second up changes nothing. TestWhatUpLeavesIsWhatItWants tries that for far
// more profiles, without starting them.
func TestUpTwice(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	t.Run("keys", func(t *testing.T) {
		b := compileText(t, prefixedKeys)
		up(t, r, b)
		nothingToDo(t, r, b)
	})
	ip(t, "link", "add", "random", "type", "bridge")
	t.Cleanup(func() { ip(t, "link", "del", "random") })
	ip(t, "link", "set", "random", "up")
	m := &randomprofile.Maker{Rand: rand.New(rand.NewPCG(7, 7)), Bridge: "random", Starts: true}
	for n := range 6 {
		p := m.Profile(fmt.Sprintf("chance%d", n))
		t.Run(p.Name, func(t *testing.T) {
			b, err := compiler.Compile(p, compiler.Options{})
			if err != nil {
				t.Fatal(err)
			}
			up(t, r, b)
			nothingToDo(t, r, b)
		})
	}
}

// nothingToDo checks that what runs is as the bundle says, and that Up thinks so
// too.
func nothingToDo(t *testing.T, r *runtime.Runtime, b *compiler.Bundle) {
	t.Helper()
	if p := planFor(t, r, b); len(p.Changes) != 0 {
		t.Errorf("after up a plan has %v", p.Changes)
	}
	again, err := r.Up(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Unchanged() {
		t.Errorf("up changes once more %v", again.Changes)
	}
	if found, err := r.Drift(nil); len(found) != 0 || err != nil {
		t.Errorf("drift finds %v (%v)", found, err)
	}
}
