package runtime_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load"
)

// A sandbox speaks with a service of the host by its socket, or writes into a FIFO,
// where the profile says that it may, and where it does not is told that it can.
func TestSocketsOfTheHostAreNamed(t *testing.T) {
	testhost.Need(t)
	dir := sharedDir(t)
	deep := filepath.Join(dir, "a/b/c")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	socket, fifo := filepath.Join(deep, "live.sock"), filepath.Join(dir, "pipe")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("the host")) }))
	if err := unix.Mkfifo(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{socket, fifo} {
		if err := os.Chmod(at, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	reads, err := os.OpenFile(fifo, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reads.Close()

	const ask = "/usr/bin/curl -s --max-time 60 --unix-socket /seen%s http://host/"
	for _, c := range []struct {
		name, host, known, script string
		refused, warned           string
		want                      string // on standard output
	}{
		{"a socket", socket, "false", strings.Replace(ask, "%s", "", 1), "is a socket", "", ""},
		{"a FIFO", fifo, "false", "echo hello > /seen", "is a FIFO", "", ""},
		{"a socket that is known", socket, "true", strings.Replace(ask, "%s", "", 1), "", "", "the host"},
		{"a FIFO that is known", fifo, "true", "echo hello > /seen", "", "", ""},
		{"a folder", dir, "false", strings.Replace(ask, "%s", "/a/b/c/live.sock", 1), "", "whoever listens at " + socket + ", " + fifo, "the host"},
		{"a folder that is known", dir, "true", strings.Replace(ask, "%s", "/a/b/c/live.sock", 1), "", "", "the host"},
		{"a folder without any", filepath.Join(dir, "a/b"), "true", "true", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := load.Config{Tags: []string{"host=" + c.host, "known=" + c.known}}
			found, err := config.Load("testdata/endpoint.cue")
			if err != nil {
				t.Fatal(err)
			}
			b, err := compiler.Compile(found[0], compiler.Options{Ephemeral: true})
			if err != nil {
				t.Fatal(err)
			}
			said := ""
			r := runtime.New(runtime.Options{Init: program(t, "sbx-init"), Log: func(line string) { said += line + "\n" }})
			defer r.Close()
			var out, errs bytes.Buffer
			exit, err := r.Run(t.Context(), b, channel.Command{Argv: []string{"/bin/sh", "-c", c.script}, Env: []string{"PATH=/usr/bin"}, Workdir: "/", User: "root"}, channel.Stdio{Stdout: &out, Stderr: &errs})
			if c.refused != "" {
				if fault.Code(err) != diag.NoSource || !strings.Contains(err.Error(), c.refused) || !strings.Contains(err.Error(), "sockets: true") {
					t.Fatalf("it ran (%+v: %q), or: %v", exit, out.String(), err)
				}
				return
			}
			if err != nil || exit != (channel.Exit{}) || out.String() != c.want {
				t.Errorf("%+v, %v: %q, %q", exit, err, out.String(), errs.String())
			}
			if c.warned == "" && strings.Contains(said, "listens") || !strings.Contains(said, c.warned) {
				t.Errorf("told %q, want %q", said, c.warned)
			}
		})
	}
	text := make([]byte, 100)
	reads.SetReadDeadline(time.Now().Add(time.Minute))
	if n, err := reads.Read(text); err != nil || string(text[:n]) != "hello\n" {
		t.Errorf("the FIFO that is known had %q, %v", text[:n], err)
	}
}
