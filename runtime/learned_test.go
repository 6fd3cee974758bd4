package runtime_test

import (
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/schema/load"
)

// lastLeased is what the last rule of leased.cue lets pass, as ebtables has it.
const lastLeased = "-p IPv4 --ip-src 10.92.0.50 --ip-dst 10.92.0.1 --ip-proto tcp --ip-dport 1118 -j ACCEPT"

// TestALeaseIsLearned: libvirt makes an interface's rules when it has read the lease,
// which the sandbox has before. When a command of Run starts, and when Up says that
// a service is up, they are there.
func TestALeaseIsLearned(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	t.Run("run", func(t *testing.T) {
		profiles, err := new(load.Config).Load("testdata/leased.cue")
		if err != nil {
			t.Fatal(err)
		}
		b, err := compiler.Compile(profiles[0], compiler.Options{Ephemeral: true})
		if err != nil {
			t.Fatal(err)
		}
		out, begun := io.Pipe()
		var rules string
		seen := make(chan struct{})
		in, end := io.Pipe()
		go func() {
			defer close(seen)
			out.Read(make([]byte, 16))
			rules = frameRules(t)
			end.Close()
			io.Copy(io.Discard, out)
		}()
		command := channel.Command{Argv: []string{"/usr/bin/sh", "-c", "echo begun; read line"}}
		_, err = r.Run(t.Context(), b, command, channel.Stdio{Stdin: in, Stdout: begun})
		begun.Close()
		<-seen
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(rules, lastLeased) {
			t.Errorf("the command began before its rules were there:\n%s", rules)
		}
	})
	t.Run("up", func(t *testing.T) {
		up(t, r, compile(t, "leased.cue"))
		if rules := frameRules(t); !strings.Contains(rules, lastLeased) {
			t.Errorf("the sandbox was up before its rules were there:\n%s", rules)
		}
	})
}

// frameRules are ebtables' rules that are in force: those of chains that libvirt is
// still about are not.
func frameRules(t *testing.T) string {
	out, err := exec.Command("ebtables", "--concurrent", "-t", "nat", "-L").Output()
	if err != nil {
		t.Error(err)
	}
	var rules strings.Builder
	for chain := range strings.SplitSeq(string(out), "\nBridge chain: ") {
		if !strings.HasPrefix(chain, "libvirt-J-") && !strings.HasPrefix(chain, "libvirt-P-") {
			rules.WriteString(chain)
		}
	}
	return rules.String()
}
