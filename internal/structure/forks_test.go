package structure_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// forkers are how a process is started in Go.
var forkers = []string{
	"exec.Command", "exec.CommandContext", "exec.Cmd", "os.StartProcess", "syscall.StartProcess", "syscall.ForkExec",
	"syscall.SYS_FORK", "syscall.SYS_VFORK", "syscall.SYS_CLONE", "unix.SYS_FORK", "unix.SYS_VFORK", "unix.SYS_CLONE", "unix.SYS_CLONE3",
}

// In a machine, sbx-init keeps from commands what they must not get on the one thread that
// forks them (privilege.ConfineThread), so nothing else of it starts a process.
func TestOneThreadForks(t *testing.T) {
	const forks = "./initramfs/init/proc/thread.go"
	found := map[string]bool{}
	for _, pkg := range deps(t, "initramfs/init") {
		if !strings.HasPrefix(pkg, "./") {
			continue
		}
		files, err := os.ReadDir(filepath.Join("../..", pkg))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := pkg + "/" + file.Name()
			if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, used := range usedOf(t, name, forkers) {
				found[name] = true
				if name != forks {
					t.Errorf("%s uses %s: let it fork by proc.Table", name, used)
				}
			}
		}
	}
	if !found[forks] {
		t.Errorf("%s forks nothing: is it this test that does not see it?", forks)
	}
}

// usedOf are those of the names, with their packages', that a file uses.
func usedOf(t *testing.T, name string, names []string) (used []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", name), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := s.X.(*ast.Ident); ok && slices.Contains(names, pkg.Name+"."+s.Sel.Name) {
				used = append(used, pkg.Name+"."+s.Sel.Name)
			}
		}
		return true
	})
	return used
}
