package service

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/initramfs"
)

// slowPage serves a page that takes longer than probeTime, as one does on a
// machine that is many times slower than its author's.
func slowPage(t *testing.T) initramfs.Probe {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(probeTime + probeTime/10)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(s.Close)
	at, err := netip.ParseAddrPort(s.Listener.(*net.TCPListener).Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return initramfs.Probe{HTTPPort: int(at.Port()), HTTPPath: "/"}
}

// A service that answers slowly becomes ready where its profile gives it the time.
func TestASlowServiceBecomesReady(t *testing.T) {
	t.Parallel()
	s := new(Service)
	if err := s.awaitReady(t.Context(), &initramfs.Ready{Probe: slowPage(t), Timeout: int64(8 * probeTime / time.Millisecond)}); err != nil {
		t.Error(err)
	}
}

// Nor is it unhealthy as long as it answers in the time between two probes.
func TestASlowServiceIsHealthy(t *testing.T) {
	t.Parallel()
	s := new(Service)
	probe := slowPage(t)
	if err := s.probe(t.Context(), &probe, 2*probeTime); err != nil {
		t.Error(err)
	}
}
