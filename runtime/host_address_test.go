package runtime_test

import (
	"net"
	"os"
	"testing"

	"github.com/sbx-dev/sbx/internal/inet6"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// TestHostAddress asks a sandbox for something the moment that it is up, by IPv6. The
// host's own address on a new bridge holds only after a while, which a setting makes
// longer here; what connects before takes another of the host's addresses, and is
// never answered.
func TestHostAddress(t *testing.T) {
	testhost.Need(t)
	setting(t, "default/dad_transmits", "5") // seconds
	for _, everywhere := range []string{"0", "1"} {
		t.Run("accept_dad="+everywhere, func(t *testing.T) {
			setting(t, "all/accept_dad", everywhere)
			up(t, newRuntime(t), compile(t, "host_address.cue", "bin="+program(t, "probe")))
			bridge := bridgeOf(t, "hostaddress")
			if inet6.Tentative(func(device string) bool { return device == bridge }) {
				t.Error("the sandbox is up, and the host's address on its network is not")
			}
			connection, err := net.DialTimeout("tcp6", "[fd9a::80]:80", patience(true))
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			if own := connection.LocalAddr().(*net.TCPAddr).IP.String(); own != "fd9a::1" {
				t.Errorf("the host spoke from %s", own)
			}
		})
	}
}

// setting changes one of the host's settings of IPv6 for the test's time.
func setting(t *testing.T, name, value string) {
	t.Helper()
	file := "/proc/sys/net/ipv6/conf/" + name
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(file, before, 0); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(file, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}
