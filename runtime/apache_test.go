package runtime_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// TestApache runs the profile that ships, as a container and as a machine: both
// must pass the same table.
func TestApache(t *testing.T) {
	testhost.Need(t)
	for _, backend := range sandboxes {
		t.Run(backend, func(t *testing.T) {
			r := newRuntime(t)
			up(t, r, compile(t, "../../profiles/apache.cue", "backend="+backend))
			client, err := r.Attach(t.Context(), "apache")
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			peer := testhost.NewPeer(t, bridgeOf(t, "sbx-web"), "10.83.0.50/24", "fd83::50/64")
			a := &apache{backend, client, []source{{"host", func(f func() error) error { return f() }}, {"peer", peer.Do}}}
			t.Run("page", a.testPage)
			t.Run("in", a.testIn)
			t.Run("out", a.testOut)
			t.Run("inside", a.testInside)
		})
	}
}

// apache is the sandbox and those who speak with it.
type apache struct {
	backend string
	client  *channel.Client
	others  []source
}

// apacheAddresses are the sandbox's, by the number of the family.
var apacheAddresses = map[string]string{"4": "10.83.0.80", "6": "fd83::80"}

// testPage fetches the host's page, and finds the requests in the log that the
// sandbox writes on the host.
func (a *apache) testPage(t *testing.T) {
	want, err := os.ReadFile("/var/www/html/index.html")
	if err != nil {
		t.Fatal(err)
	}
	var requests []string
	for _, from := range a.others {
		for family, address := range apacheAddresses {
			query := "/?" + from.name + family + a.backend
			got, err := fetch(from, "http://"+net.JoinHostPort(address, "80")+query)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s by IPv%s: %d bytes for a page of %d (%v)", from.name, family, len(got), len(want), err)
			}
			requests = append(requests, "GET "+query+" ")
		}
	}
	const log = "/var/log/sbx/apache/access.log"
	for _, request := range requests {
		testhost.WaitFor(t, request+"in "+log, time.Minute, func() bool {
			written, err := os.ReadFile(log)
			return err == nil && strings.Contains(string(written), request)
		})
	}
	if uid := owner(t, log); uid < 1<<16 {
		t.Errorf("the log belongs to the host's user %d", uid)
	}
}

func fetch(from source, url string) ([]byte, error) {
	client := clientOf(from)
	client.Timeout = patience(true)
	response, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// testIn sends to ports that the profile names and to others. On 443 nobody
// listens: that the sandbox itself refuses shows that packets get there and back.
// Without a filter it would do so for each of the others, too.
func (a *apache) testIn(t *testing.T) {
	var all sync.WaitGroup
	for _, from := range a.others {
		for _, c := range []struct {
			network, port string
			ok            func(error) bool
			want          string
		}{
			{"tcp", "80", func(err error) bool { return err == nil }, "answered"},
			{"tcp", "443", func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }, "refused"},
			{"tcp", "22", silent, "silent"},
			{"tcp", "79", silent, "silent"},
			{"tcp", "81", silent, "silent"},
			{"tcp", "8080", silent, "silent"},
			{"udp", "53", silent, "silent"},
			{"udp", "80", silent, "silent"},
		} {
			for family, address := range apacheAddresses {
				all.Go(func() {
					err := from.do(func() error {
						return reach(c.network+family, net.JoinHostPort(address, c.port), patience(c.want != "silent"))
					})
					if !c.ok(err) {
						t.Errorf("%s by IPv%s: %s %s is not %s: %v", from.name, family, c.network, c.port, c.want, err)
					}
				})
			}
		}
	}
	all.Wait()
}

// testOut lets the sandbox send to those who listen for it: nothing may leave.
func (a *apache) testOut(t *testing.T) {
	got := new(received)
	for _, at := range a.others {
		for _, network := range []string{"tcp", "udp"} {
			if err := at.do(func() error { return got.listen(t, at.name, network, ":5432") }); err != nil {
				t.Fatal(err)
			}
		}
	}
	var all sync.WaitGroup
	for _, to := range []string{"10.83.0.1", "10.83.0.50", "fd83::1", "fd83::50", "203.0.113.9"} {
		all.Go(func() {
			if status, text := a.sh(t, fmt.Sprintf("echo x >/dev/udp/%s/5432", to)); status != 0 {
				t.Errorf("sending to %s by UDP: %d, %s", to, status, text)
			}
			if status, text := a.sh(t, fmt.Sprintf("exec timeout 2 bash -c 'echo x >/dev/tcp/%s/5432'", to)); status != 124 {
				t.Errorf("connecting to %s gave %d, %s, want the time-out's 124", to, status, text)
			}
		})
	}
	all.Wait()
	if got.String() != "" {
		t.Errorf("what the sandbox sent arrived at:\n%s", got)
	}
}

// testInside tries what the profile lets nobody do, as the sandbox's root.
func (a *apache) testInside(t *testing.T) {
	for _, path := range []string{"/var/www/html", "/etc/apache2", "/usr", "/etc", "/"} {
		file := filepath.Join(path, "sbx-was-here")
		if status, text := a.sh(t, "echo x >"+file); status == 0 {
			t.Errorf("%s can be written: %s", file, text)
		}
	}
	if status, text := a.sh(t, "cat /etc/shadow"); status == 0 || strings.Contains(text, "root:") {
		t.Errorf("/etc/shadow can be read: %s", text)
	}
	// Apache's first process is root; those that speak with clients are not.
	status, text := a.sh(t, `for p in /proc/[0-9]*; do if read -r name <$p/comm && [ "$name" = apache2 ]; then stat -c %U $p; fi; done | sort -u`)
	if status != 0 || text != "root\nwww-data\n" {
		t.Errorf("apache's processes belong to %q (%d)", text, status)
	}
}

// sh runs a script of bash in the sandbox and gives its status and its output.
func (a *apache) sh(t *testing.T, script string) (status int, text string) {
	t.Helper()
	var out bytes.Buffer
	exit, err := a.client.Exec(t.Context(), channel.Command{Argv: []string{"/usr/bin/bash", "-c", script}}, channel.Stdio{Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return exit.Status(), out.String()
}
