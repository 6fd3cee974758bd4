package runtime_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
)

const crash = `for s in ABRT BUS FPE ILL QUIT SEGV SYS TRAP; do kill -$s 1; done; sleep infinity`

// firstProcess is what root inside may do to the first process, which is the same user.
var firstProcess = []struct {
	what, script string
	backends     []string
	ends         bool // the sandbox, by that
}{
	{"crash", crash, []string{"lxc", "kvm"}, true},
	// What it says as it crashes finds no room on its console.
	{"crash on a full console", `timeout 3 cat /dev/zero >/dev/console; test $? = 124 && ` + crash, []string{"lxc"}, true},
	{"crash on a stopped console", `perl -e 'open F, ">/dev/console"; ioctl(F, 0x540a, 0) or die' && ` + crash, []string{"lxc"}, true},
	{"no files", `prlimit --pid 1 --nofile=0:0`, []string{"lxc"}, false},
	{"no memory", `prlimit --pid 1 --as=0:0 --data=0:0`, []string{"lxc"}, false},
}

// Root inside can end its own sandbox by way of its first process, as by any other, or
// have that answer nobody any more. Whoever waits is told, and the host takes it away.
func TestFirstProcess(t *testing.T) {
	testhost.Need(t)
	for _, attack := range firstProcess {
		for _, backend := range attack.backends {
			t.Run(backend+"/"+attack.what, func(t *testing.T) {
				r := newRuntime(t)
				up(t, r, compile(t, "first.cue", "backend="+backend))
				client, err := r.Attach(t.Context(), "first")
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				var said bytes.Buffer
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // where nobody is told
				defer cancel()
				_, err = client.Exec(ctx, channel.Command{Argv: []string{"/bin/sh", "-c", attack.script}}, channel.Stdio{Stdout: &said, Stderr: &said})
				switch {
				case attack.ends:
					if err == nil || !strings.Contains(err.Error(), "the connection to the sandbox was lost") {
						t.Errorf("whoever runs something there is told %v: %q", err, &said)
					}
					if status, err := r.Wait(ctx, "first"); err == nil {
						t.Errorf("whoever waits is told %+v", status)
					} else {
						t.Logf("whoever waits is told: %v", err)
					}
				case err != nil || said.Len() > 0:
					t.Errorf("it could not be tried: %v, %q", err, &said)
				}
				if _, err := r.Down(t.Context(), "first"); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
