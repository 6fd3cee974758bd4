package keep

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/state"
)

// An end that the sandbox has told is noted, also where its channel breaks right after, as
// a machine's does that switches itself off.
func TestAKnownEndIsNoted(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	guest, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	broken, served := make(chan struct{}), make(chan error, 1)
	go func() {
		served <- channel.Serve(guest, func(_ channel.Request, s *channel.Stream) {
			_ = s.SendStatus(channel.Status{State: channel.Ended, Exit: &channel.Exit{Code: 3}})
			<-broken
		})
	}()
	client, err := channel.Dial(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	end, err := os.Create(filepath.Join(dir, state.Ended))
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	noted, logged := make(chan error, 1), make(chan struct{})
	go func() { noted <- noteEnd(t.Context(), client, end, logged) }()
	logged <- struct{}{} // it has heard of the end
	guest.Close()
	close(broken)
	if err := <-noted; err != nil {
		t.Error(err)
	}
	<-served
	if s, err := NotedEnd(dir); err != nil || s.State != channel.Ended || s.Exit == nil || s.Exit.Code != 3 {
		text, _ := json.Marshal(s)
		t.Errorf("%s, %v", text, err)
	}
}
