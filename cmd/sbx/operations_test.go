package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// TestOperations runs testdata/operations, one after the other: what is not in
// their folders is pruned.
func TestOperations(t *testing.T) {
	testhost.Need(t)
	t.Cleanup(func() { takeDown(t) })
	testscript.Run(t, params("testdata/operations"))
}

// crowd writes ten profiles, which @tag(turn) makes others, and gives their
// folder. One has a network with a firewall, which is
// what takes time.
func crowd(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for i := range 10 {
		network := ""
		if i < 1 {
			network = fmt.Sprintf(`network: {
		attach: "crowd"
		create: {mode: "isolated", address: ["10.90.0.1/24"]}
		address: "10.90.0.%d/24"
		allow: [{in: tcp: [8000 + strconv.Atoi(_turn)]}]
	}`, i+2)
		}
		text := fmt.Sprintf(`package crowd%[1]d

import (
	"strconv"

	"github.com/sbx-dev/sbx/schema"
)

_turn: *"0" | string @tag(turn)

schema.#Profile & {
	name:    "crowd%[1]d"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", strconv.FormatInt(1000+div(strconv.Atoi(_turn)+%[1]d, 2), 10)]
	expose: ["/usr"]
	%[2]s
}
`, i, network)
		file := filepath.Join(dir, strconv.Itoa(i), "crowd.cue")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir + "/..."
}

// checkCrowd checks that ten sandboxes run just as the profiles say, and that
// there is nothing else of sbx's.
func checkCrowd(t *testing.T, profiles, turn string) {
	t.Helper()
	if out := mustSbx(t, "plan", "--prune", "-t", "turn="+turn, profiles); !strings.HasPrefix(out, "nothing to do: 10 sandboxes") {
		t.Errorf("after turn %s there is something to do:\n%s", turn, out)
	}
	if out := mustSbx(t, "drift"); out != "nothing has been changed by hand\n" {
		t.Errorf("after turn %s:\n%s", turn, out)
	}
	if n := strings.Count(mustSbx(t, "ps"), " running "); n != 10 {
		t.Errorf("after turn %s %d sandboxes run", turn, n)
	}
	filters, err := filepath.Glob("/etc/libvirt/nwfilter/sbx-*")
	if len(filters) != 1 || err != nil {
		t.Errorf("after turn %s there are the filters %v (%v)", turn, filters, err)
	}
}

// dismiss takes the crowd down and checks that nothing is left of it.
func dismiss(t *testing.T) {
	args := []string{"down"}
	for i := range 10 {
		args = append(args, fmt.Sprintf("crowd%d", i))
	}
	mustSbx(t, args...)
	for _, pattern := range []string{"/etc/libvirt/nwfilter/sbx-*", "/etc/libvirt/lxc/crowd*", "/etc/libvirt/qemu/networks/crowd*", "/var/lib/sbx/crowd*", "/sys/class/net/sbx*"} {
		if left, err := filepath.Glob(pattern); left != nil || err != nil {
			t.Errorf("left behind: %v (%v)", left, err)
		}
	}
}

// Killed at whatever moment, an apply is taken up by the next one. Each turn
// changes the rules of one sandbox and the commands of half of them; only every
// fifth apply is followed by one that may end, so that what the killed ones leave
// adds up.
func TestApplyKilledAnywhere(t *testing.T) {
	testhost.Need(t)
	profiles := crowd(t)
	defer dismiss(t)
	mustSbx(t, "apply", "-t", "turn=0", profiles)
	begun := time.Now()
	mustSbx(t, "apply", "-t", "turn=1", profiles)
	whole := time.Since(begun)
	const seed = 20
	random := rand.New(rand.NewPCG(seed, seed))
	for kill := 1; kill <= 30; kill++ {
		turn := strconv.Itoa(kill + 1)
		cmd := sbx(t, "apply", "-t", "turn="+turn, profiles)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.Int64N(int64(whole))))
		cmd.Process.Kill() // it may have ended
		cmd.Wait()
		if kill%5 == 0 {
			mustSbx(t, "apply", "-t", "turn="+turn, profiles)
			checkCrowd(t, profiles, turn)
		}
	}
}

// Two applies of different profiles at once: each sandbox is as one of them
// says, and the next apply finds nothing broken.
func TestAppliesSideBySide(t *testing.T) {
	testhost.Need(t)
	profiles := crowd(t)
	defer dismiss(t)
	var running []*exec.Cmd
	for turn := range 2 {
		cmd := sbx(t, "apply", "-t", "turn="+strconv.Itoa(turn), profiles)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Errorf("one of two applies at once: %v", err)
		}
	}
	mustSbx(t, "apply", "-t", "turn=1", profiles)
	checkCrowd(t, profiles, "1")
}
