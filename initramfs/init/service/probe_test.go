package service

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// slowPage serves a page that takes longer than probeTime, as one does on a
// machine that is many times slower than its author's.
func slowPage(t *testing.T) manifest.Probe {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(probeTime + probeTime/10):
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(s.Close)
	at, err := netip.ParseAddrPort(s.Listener.(*net.TCPListener).Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return manifest.Probe{HTTPPort: int(at.Port()), HTTPPath: "/"}
}

// A service that answers slowly becomes ready where its profile gives it the time,
// and stays healthy as long as it answers between two probes. Where the profile
// does not, what is said names the host as what may be slow.
func TestASlowService(t *testing.T) {
	probe := slowPage(t)
	ready := func(limit time.Duration) error {
		return new(Service).awaitReady(t.Context(), &manifest.Ready{Probe: probe, Timeout: limit.Milliseconds()})
	}
	var side sync.WaitGroup
	side.Go(func() {
		if err := ready(8 * probeTime); err != nil {
			t.Errorf("ready: %v", err)
		}
	})
	side.Go(func() {
		if err := new(Service).probe(t.Context(), &probe, 2*probeTime); err != nil {
			t.Errorf("healthy: %v", err)
		}
	})
	side.Go(func() {
		err := ready(probeTime + probeTime/20)
		if err == nil || !strings.Contains(err.Error(), "one probe took longer than 5s: this sandbox is slow to answer, or its host is") {
			t.Errorf("not ready: %v", err)
		}
	})
	side.Wait()
}
