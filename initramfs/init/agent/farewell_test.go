package agent

import (
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// why is what goes wrong in these tests while a sandbox is set up.
const why = "no DHCP server gave it an address"

// table is the only one that a program may have.
var table = sync.OnceValue(func() *proc.Table { return proc.NewTable() })

// broken is a sandbox whose set-up failed, and a host of it. left is closed when
// the sandbox ends.
func broken(t *testing.T, service bool) (client *channel.Client, left chan struct{}) {
	t.Helper()
	m := &manifest.Manifest{Service: service, Run: manifest.Run{Argv: []string{"/bin/true"}}}
	a := New(m, table(), func() {})
	a.Start(errors.New(why))
	left = leaving(a)
	return hostOf(t, a), left
}

// leaving gives what is closed when the agent's sandbox ends.
func leaving(a *Agent) chan struct{} {
	left := make(chan struct{})
	go func() { <-a.Ended(); a.Farewell(); close(left) }()
	return left
}

// hostOf is a host that has come to the agent.
func hostOf(t *testing.T, a *Agent) *channel.Client {
	t.Helper()
	guest, host := net.Pipe()
	t.Cleanup(func() { guest.Close() })
	go func() { _ = channel.Serve(guest, a.NewHost(true).Handle) }()
	client, err := channel.Dial(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// TestFarewell has a service whose set-up failed wait for a slow host: one that
// ended at once would cut the host off before it has read why.
func TestFarewell(t *testing.T) {
	client, left := broken(t, true)
	asked := time.Now()
	err := client.Watch(t.Context(), func(s channel.Status) bool {
		if s.State != channel.Ended || s.Message != why {
			t.Errorf("the host is told %+v", s)
		}
		select {
		case <-left:
			if time.Since(asked) < fetchTime {
				t.Error("the sandbox ends while the host is being told")
			}
		case <-time.After(fetchTime / 10):
		}
		return false
	})
	if err != nil {
		t.Error(err)
	}
	<-left
}

// TestFarewellToRun is the same without a service: the host that asks for its
// command is told.
func TestFarewellToRun(t *testing.T) {
	client, left := broken(t, false)
	_, err := client.Run(t.Context(), channel.Command{}, channel.Stdio{})
	if failure := new(channel.Failure); !errors.As(err, &failure) || failure.Message != why {
		t.Errorf("the host is told %v", err)
	}
	<-left
}

// TestFarewellToWhoIsAbout has a host do something when the command has ended, which it has
// stopped or run, and before the sandbox does.
func TestFarewellToWhoIsAbout(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("starting a command as root of a sandbox takes root")
	}
	for name, c := range map[string]struct {
		m   manifest.Manifest
		end func(client *channel.Client, ended func()) error
	}{
		"stop": {
			manifest.Manifest{Service: true, Run: manifest.Run{Argv: []string{"/bin/sleep", "1000"}}},
			func(client *channel.Client, ended func()) error { return client.Stop(t.Context(), ended) },
		},
		"run": {
			manifest.Manifest{Run: manifest.Run{Argv: []string{"/bin/true"}}},
			func(client *channel.Client, ended func()) error {
				_, err := client.Run(t.Context(), channel.Command{}, channel.Stdio{Ended: ended})
				return err
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := New(&c.m, table(), func() {})
			client := hostOf(t, a)
			a.Start(nil)
			left := leaving(a)
			called := false
			err := c.end(client, func() {
				called = true
				<-a.Ended()
				select {
				case <-left:
					t.Error("the sandbox ends while the host does something before")
				case <-time.After(fetchTime / 10):
				}
			})
			if err != nil || !called {
				t.Errorf("called: %t, %v", called, err)
			}
			<-left
		})
	}
}

// TestFarewellToTheFirst has a command end before any host has come: the first one
// is still told how, and what it wrote.
func TestFarewellToTheFirst(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("starting a command as root of a sandbox takes root")
	}
	m := &manifest.Manifest{Service: true, Run: manifest.Run{Argv: []string{"/bin/sh", "-c", "echo its last line; exit 3"}}}
	a := New(m, table(), func() {})
	a.Start(nil)
	left := leaving(a)
	<-a.Ended()
	select {
	case <-left:
		t.Fatal("the sandbox ends, and nobody was told why")
	case <-time.After(fetchTime / 10):
	}
	client := hostOf(t, a)
	err := client.Watch(t.Context(), func(s channel.Status) bool {
		if s.State != channel.Ended || s.Exit == nil || s.Exit.Code != 3 || s.Failures != 1 {
			t.Errorf("the host is told %+v", s)
		}
		var text string
		err := client.Output(t.Context(), s.Output, false, func(r channel.Record) error { text += string(r.Data); return nil })
		if err != nil || text != "its last line\n" {
			t.Errorf("the host is told %q (%v)", text, err)
		}
		return false
	})
	if err != nil {
		t.Error(err)
	}
	<-left
}
