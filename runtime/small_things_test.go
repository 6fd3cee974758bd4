package runtime_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/logfile"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
)

// smallThings has what services expect of a host beside their files.
const smallThings = `package small

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "small"
	backend: "KIND"
	expose: ["/usr"]
	mounts: "/dev/shm": tmpfs: "3MiB"
	mounts: "/run": tmpfs: "1MiB"
	sysctls: {"net.ipv4.ip_default_ttl": 77, "kernel.msgmax": 4321, "fs.mqueue.msg_max": 7}
	run: {
		argv: ["/usr/bin/bash", "-c", """
			told() {
				echo $1 $(cat /run/prepared) $VALUE $(cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max) $(ulimit -n) $(ulimit -c) $(df --output=size -k /dev/shm | tail -n 1)
				logger -t small -p user.warning "logged of $1"
			}
			trap 'told reloaded' HUP
			told started
			while :; do sleep 0.2; done
			"""]
		env: VALUE: "a value"
		prepare: [{exec: ["/usr/bin/bash", "-c", "echo prepared >/run/prepared"]}]
		reload: signal: "HUP"
	}
	resources: {memory: "192MiB", cpus: 1, ulimits: {nofile: 123, core: 0}}
}
`

// The small things of a profile are so in both kinds of sandbox.
func TestSmallThings(t *testing.T) {
	for _, kind := range []string{"lxc", "kvm"} {
		t.Run(kind, func(t *testing.T) {
			testhost.Need(t)
			o := machineOptions(t)
			o.Keeper = []string{os.Args[0], "keep"}
			r := runtime.New(o)
			t.Cleanup(r.Close)
			up(t, r, compileText(t, strings.Replace(smallThings, "KIND", kind, 1)))
			says(t, r, "started prepared a value 77 4321 7 123 0 3072", "logged of started")
			if err := r.Reload(t.Context(), "small"); err != nil {
				t.Fatal(err)
			}
			says(t, r, "reloaded prepared a value 77 4321 7 123 0 3072", "logged of reloaded")
		})
	}
}

// says waits until the log of small has the lines.
func says(t *testing.T, r *runtime.Runtime, lines ...string) {
	t.Helper()
	var seen string
	defer func() {
		if t.Failed() {
			t.Log(seen)
		}
	}()
	testhost.WaitFor(t, strings.Join(lines, ", "), 5*time.Minute, func() bool {
		seen = ""
		err := r.Logs(t.Context(), "small", time.Time{}, false, func(l logfile.Line) error {
			seen += l.Text + "\n"
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(lines, func(line string) bool { return !strings.Contains(seen, line) })
	})
}
