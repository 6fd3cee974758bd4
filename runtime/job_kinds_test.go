package runtime_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/locks"
	"github.com/sbx-dev/sbx/schema/diag"
)

// A job with a network: it speaks with the host at one port, and cannot at another.
const networkedJob = `package networked

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "networked"
	backend: "lxc"
	every:   "daily"
	run: argv: ["/usr/bin/bash", "-c", "read -t 30 said </dev/tcp/10.89.4.1/80; echo \"told $said\"; timeout 2 bash -c ': </dev/tcp/10.89.4.1/81' 2>/dev/null && echo leaked; exit 3"]
	expose: ["/usr"]
	network: {
		attach: "networked"
		create: {mode: "isolated", address: ["10.89.4.1/24"]}
		address: ["10.89.4.2/24"]
		allow: [{out: tcp: [80], to: "10.89.4.1"}]
	}
	resources: {memory: "128MiB", cpus: 1}
}
`

// withTimers has the host be one on which systemd runs, as far as sbx asks that; what it
// really does with timers, a scenario of internal/lab shows.
func withTimers(t *testing.T) {
	t.Helper()
	if err := os.MkdirAll("/run/systemd/system", 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll("/run/systemd") })
	programs := t.TempDir()
	if err := os.WriteFile(filepath.Join(programs, "systemctl"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", programs+":"+os.Getenv("PATH"))
}

// speaker is the host's end of networkedJob: each run that calls is told to be there, and
// goes on when it is let.
type speaker struct{ called, let chan struct{} }

func speak(t *testing.T) speaker {
	t.Helper()
	l, err := net.Listen("tcp", "10.89.4.1:80")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := speaker{make(chan struct{}), make(chan struct{})}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.called <- struct{}{}
			<-s.let
			io.WriteString(c, "hello\n")
			c.Close()
		}
	}()
	return s
}

// ran has one run of the job, whose output it gives; during is called while it runs.
func ran(t *testing.T, s speaker, during func()) string {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		_, err := newKeptRuntime(t).RunJob(t.Context(), "networked")
		ended <- err
	}()
	select {
	case <-s.called:
	case err := <-ended:
		t.Fatalf("it does not call: %v", err)
	}
	during()
	s.let <- struct{}{}
	failed := new(runtime.StartFailure)
	if err := <-ended; !errors.As(err, &failed) || failed.Status.Exit == nil || failed.Status.Exit.Status() != 3 {
		t.Fatalf("its end is %v", err)
	}
	var said strings.Builder
	for _, r := range failed.Records {
		said.Write(r.Data)
	}
	return said.String()
}

// settled waits until whoever starts the sandbox has noted how it is.
func settled(t *testing.T, name string) {
	t.Helper()
	unlock, err := locks.Locks{Folder: state.Default, Log: func(string) {}}.Lock(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

// A job of either kind runs by its timer as up has prepared it, with its network, again
// and again, and is as its profile says before, between and after.
func TestJobsWithANetwork(t *testing.T) {
	testhost.Need(t)
	withTimers(t)
	for _, backend := range []string{"lxc", "kvm"} {
		t.Run(backend, func(t *testing.T) {
			r, b := newRuntime(t), compileText(t, strings.Replace(networkedJob, `"lxc"`, `"`+backend+`"`, 1))
			asIs := func(when string) {
				t.Helper()
				if p := planFor(t, r, b); len(p.Changes) > 0 {
					t.Errorf("%s there is to change %v", when, p.Changes)
				}
				for _, by := range [][]*compiler.Bundle{nil, {b}} {
					if found, err := r.Drift(by); err != nil || len(found) > 0 {
						t.Errorf("%s there is drift: %v, %v", when, found, err)
					}
				}
			}
			up(t, r, b)
			if state := stateOf(t, r, "networked"); state != "stopped" {
				t.Errorf("after up it is %s", state)
			}
			asIs("after up")
			host := speak(t)
			for range 2 {
				if said := ran(t, host, func() { settled(t, "networked"); asIs("in a run") }); said != "told hello\n" {
					t.Errorf("it says %q", said)
				}
				asIs("after a run")
			}
		})
	}
}

// A saved plan of a job holds whether its runs come and go meanwhile, and ends none of
// them.
func TestAPlanOfAJob(t *testing.T) {
	testhost.Need(t)
	withTimers(t)
	r, b := newRuntime(t), compileText(t, networkedJob)
	up(t, r, b)
	host := speak(t)
	changed := 0
	plan := func() func() error { // of a change for which it is prepared anew
		changed++
		next := compileText(t, strings.Replace(networkedJob, "told", fmt.Sprint("told by ", changed), 1))
		p := planFor(t, r, next)
		return func() error {
			outcomes := r.Apply(t.Context(), p, []*compiler.Bundle{next}, runtime.ApplyOptions{Exact: true})
			if len(outcomes) != 1 {
				t.Fatalf("outcomes: %v", outcomes)
			}
			return outcomes[0].Err
		}
	}
	says := func(want string, during func()) {
		t.Helper()
		if said := ran(t, host, during); said != want {
			t.Errorf("it says %q, want %q", said, want)
		}
	}

	apply := plan()
	says("told hello\n", func() {})
	if err := apply(); err != nil {
		t.Errorf("after a run that came between: %v", err)
	}

	apply = plan()
	says("told by 1 hello\n", func() {
		if err := apply(); fault.Code(err) != diag.Busy {
			t.Errorf("in a run that began between: %v", err)
		}
	})
	if err := apply(); err != nil {
		t.Errorf("after that run: %v", err)
	}

	says("told by 2 hello\n", func() { apply = plan() })
	if err := apply(); err != nil {
		t.Errorf("after the run in which it was made: %v", err)
	}
	says("told by 3 hello\n", func() {})
}
