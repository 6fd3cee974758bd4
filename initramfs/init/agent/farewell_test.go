package agent

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/initramfs"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
)

// why is what goes wrong in these tests while a sandbox is set up.
const why = "no DHCP server gave it an address"

// broken is a sandbox whose set-up failed, and a host of it. left is closed when
// the sandbox ends.
func broken(t *testing.T, service bool) (client *channel.Client, left chan struct{}) {
	t.Helper()
	m := &initramfs.Manifest{Service: service, Run: initramfs.Run{Argv: []string{"/bin/true"}}}
	a := New(m, proc.NewTable(nil), func() {})
	a.Start(errors.New(why))
	guest, host := net.Pipe()
	t.Cleanup(func() { guest.Close() })
	go func() { _ = channel.Serve(guest, a.NewHost(true).Handle) }()
	left = make(chan struct{})
	go func() { <-a.Ended(); a.Farewell(); close(left) }()
	client, err := channel.Dial(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client, left
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
