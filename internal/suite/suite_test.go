package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"suite": main}) }

// TestScripts runs the suite on modules of few tests, with go itself.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			out, err := exec.Command("go", "env", "GOCACHE", "GOROOT").Output()
			if err != nil {
				return err
			}
			cache, root, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
			e.Setenv("GOCACHE", cache)
			e.Setenv("GOROOT", root)
			e.Setenv("GOFLAGS", "-vet=off")
			return nil
		},
	})
}
