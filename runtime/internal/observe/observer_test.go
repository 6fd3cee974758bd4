package observe

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// A kernel without any rule, as nft flush ruleset leaves it, is looked at once.
func TestNoRulesAtAll(t *testing.T) {
	const inside = "SBX_TEST_NO_RULES"
	if os.Getenv(inside) != "" {
		if rules, err := New("").kernelRules(); err != nil || len(rules) > 0 {
			t.Errorf("there are %q: %v", rules, err)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	alone := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestNoRulesAtAll$")
	alone.Env = append(os.Environ(), inside+"=1")
	alone.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if out, err := alone.CombinedOutput(); err != nil {
		t.Errorf("%v, %v: %s", err, context.Cause(ctx), out)
	}
}
