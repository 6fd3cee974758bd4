package runtime_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/internal/turns"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// BenchmarkHTTP asks apache for its page, eight at a time and each request over a
// connection of its own: the one of the profile that ships, in a container behind its
// walls, with all processors, and the same program without any wall in a network namespace
// on the same bridge. Both write their log.
func BenchmarkHTTP(b *testing.B) {
	testhost.Need(b)
	profile := shippedApache(b)
	bundle, err := compiler.Compile(profile, compiler.Options{})
	if err != nil {
		b.Fatal(err)
	}
	up(b, newRuntime(b), bundle)
	peer := testhost.NewPeer(b, bridgeOf(b, "sbx-web"), "10.83.0.60/24")
	plainApache(b, profile, peer)
	turns.Ratio(b,
		turns.Side{Unit: "sbx-requests/s", Measure: func() float64 { return requests(b, "10.83.0.80", 10000) }},
		turns.Side{Unit: "plain-requests/s", Measure: func() float64 { return requests(b, "10.83.0.60", 10000) }},
		turns.Goal{AtLeast: 0.85})
}

// shippedApache is the profile that ships, with all processors.
func shippedApache(b *testing.B) *schema.Profile {
	b.Helper()
	profiles, err := (&load.Config{Dir: "../profiles"}).Load("apache.cue")
	if err != nil {
		b.Fatal(err)
	}
	profiles[0].Resources.CPUs = float64(goruntime.NumCPU())
	return profiles[0]
}

// plainApache runs the profile's program as the peer.
func plainApache(b *testing.B, profile *schema.Profile, peer *testhost.Peer) {
	b.Helper()
	dir := b.TempDir()
	env := maps.Clone(profile.Run.Env)
	env["APACHE_RUN_DIR"], env["APACHE_LOCK_DIR"], env["APACHE_LOG_DIR"], env["APACHE_PID_FILE"] = dir, dir, dir, filepath.Join(dir, "pid")
	c := exec.Command(profile.Run.Argv[0], profile.Run.Argv[1:]...)
	for name, value := range env {
		c.Env = append(c.Env, name+"="+value)
	}
	c.Stderr = os.Stderr
	if err := peer.Do(c.Start); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	})
	testhost.WaitFor(b, "apache without sbx", time.Minute, func() bool {
		return reach("tcp", "10.83.0.60:80", time.Second) == nil
	})
}

// requests are how many of some an apache answers in a second.
func requests(b *testing.B, address string, some int) float64 {
	b.Helper()
	out, err := exec.Command("ab", "-q", "-n", strconv.Itoa(some), "-c", "8", "http://"+address+"/").CombinedOutput()
	if err != nil {
		b.Fatalf("ab: %v\n%s", err, out)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			values[name] = value
		}
	}
	rate := strings.Fields(values["Requests per second"])
	if failed := strings.TrimSpace(values["Failed requests"]); failed != "0" || values["Non-2xx responses"] != "" || len(rate) == 0 {
		b.Fatalf("not all is answered:\n%s", out)
	}
	n, err := strconv.ParseFloat(rate[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}
