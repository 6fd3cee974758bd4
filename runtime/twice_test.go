package runtime_test

import (
	"testing"

	"github.com/sbx-dev/sbx/compiler"
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

func TestUpTwice(t *testing.T) {
	testhost.Need(t)
	r, b := newRuntime(t), compileText(t, prefixedKeys)
	up(t, r, b)
	nothingToDo(t, r, b)
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
