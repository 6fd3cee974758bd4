package kvm

import (
	"path"
	"testing"
)

// FuzzProgram looks at the beginning of any file at all for what runs it.
func FuzzProgram(f *testing.F) {
	for _, head := range []string{"#!/bin/sh -e\n", "#! \t/usr/bin/env python3", "#!", "#!x", programFor(62), "\x7fELF\x01\x02"} {
		f.Add([]byte(head))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		if at := interpreter(head); at != "" && !path.IsAbs(at) {
			t.Errorf("%q is run by %q", head, at)
		}
		if _, ok := elfMachine(head); ok && interpreter(head) != "" {
			t.Errorf("%q is both a program and a script", head)
		}
	})
}
