package innerwall

import (
	"os"
	"testing"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// A host whose kernel cannot hold a wall has none: it goes without, and nothing fails.
func TestAKernelWithoutNetlinkForFilters(t *testing.T) {
	dial = func(...nftables.ConnOption) (*nftables.Conn, error) {
		return nil, os.NewSyscallError("socket", unix.EPROTONOSUPPORT)
	}
	t.Cleanup(func() { dial = nftables.New })
	if have, err := Print("sbx-none"); have != Absent || err != nil {
		t.Errorf("it is %q: %v", have, err)
	}
	if err := Remove("sbx-none"); err != nil {
		t.Error(err)
	}
	if names, err := Names(); len(names) > 0 || err != nil {
		t.Errorf("there are %q: %v", names, err)
	}
}
