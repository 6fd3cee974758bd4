package runtime_test

import (
	"net"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// TestUplink reaches for a machine beyond the host, which the allow-list lets
// the sandbox do. A network with NAT leads there by the host's own address, a
// routed one by the sandbox's, and an isolated one does not.
func TestUplink(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	beyond := beyondHost(t)
	callers := make(chan string, 1)
	listenAt(t, beyond, "10.85.0.50:5432", callers)
	for mode, from := range map[string]string{"nat": "10.85.0.1", "route": "10.91.0.10", "isolated": ""} {
		t.Run(mode, func(t *testing.T) {
			up(t, r, compile(t, "uplink.cue", "mode="+mode, "bin="+program(t, "probe")))
			p := &prober{name: "uplink"}
			p.attachAt(testhost.NewPeer(t, bridgeOf(t, "uplink"), "10.91.0.50/24"), "10.91.0.10")
			got, ok := p.try(t, query("/dial", "network", "tcp4", "address", "10.85.0.50:5432", "limit", patience(from != "").String()))
			if ok != (from != "") {
				t.Fatalf("the sandbox reached beyond the host = %v (%s)", ok, got)
			}
			if !ok {
				return
			}
			select {
			case caller := <-callers:
				if caller != from {
					t.Errorf("the sandbox came as %s, want %s", caller, from)
				}
			case <-time.After(time.Minute):
				t.Error("nobody came")
			}
		})
	}
}

// listenAt notes the addresses of those who connect to the peer.
func listenAt(t *testing.T, peer *testhost.Peer, address string, callers chan<- string) {
	t.Helper()
	var l net.Listener
	err := peer.Do(func() (err error) { l, err = net.Listen("tcp4", address); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			callers <- conn.RemoteAddr().(*net.TCPAddr).IP.String()
			conn.Close()
		}
	}()
}
