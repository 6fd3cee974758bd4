package runtime_test

import (
	"errors"
	"fmt"
	"testing"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema/diag"
)

// A domain that goes between two questions was never there: what is asked of one
// that was just found is no error. (An interrupted run's machine goes so, whose end
// libvirt notices while the next run looks at it.)
func TestGoneMeanwhile(t *testing.T) {
	testhost.Need(t)
	conn := containers(t)
	dom, err := conn.DomainDefineXML(emptyDomain("gone"))
	if err != nil {
		t.Fatal(err)
	}
	defer dom.Free()
	if err := dom.Undefine(); err != nil {
		t.Fatal(err)
	}
	if persistent, err := virt.IsPersistent(dom); persistent || err != nil {
		t.Errorf("it stays: %v, %v", persistent, err)
	}
	if active, err := virt.IsActive(dom); active || err != nil {
		t.Errorf("it runs: %v, %v", active, err)
	}
	if err := virt.Stop(dom); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// All that looks at a sandbox bears that another process removes it at any moment.
func TestLookingAtOneThatGoes(t *testing.T) {
	testhost.Need(t)
	conn := containers(t)
	r := newRuntime(t)
	ended := make(chan error, 1)
	go func() { ended <- comeAndGo(conn, "fleeting") }()
	for found := 0; ; {
		select {
		case err := <-ended:
			if found == 0 || err != nil {
				t.Errorf("seen %d times: %v", found, err)
			}
			return
		default:
		}
		if _, err := r.Stop(t.Context(), "fleeting"); err == nil {
			found++
		} else if fault.Code(err) != diag.NoSandbox {
			t.Errorf("stop: %v", err)
		}
		if _, err := r.Inspect(t.Context(), "fleeting"); err != nil && fault.Code(err) != diag.NoSandbox {
			t.Errorf("inspect: %v", err)
		}
	}
}

// comeAndGo defines and removes a sandbox again and again.
func comeAndGo(conn *libvirt.Connect, name string) error {
	for range 400 {
		dom, err := conn.DomainDefineXML(emptyDomain(name))
		if err != nil {
			return err
		}
		err = dom.Undefine()
		dom.Free()
		if err != nil {
			return err
		}
	}
	return nil
}

// containers is libvirt's driver of containers.
func containers(t *testing.T) *libvirt.Connect {
	t.Helper()
	conn, err := libvirt.NewConnect("lxc:///")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// emptyDomain is a container with sbx's notes, which never starts.
func emptyDomain(name string) string {
	notes, err := (&compiler.Metadata{}).Encode()
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`<domain type="lxc"><name>%s</name><memory>65536</memory><os><type>exe</type><init>/bin/true</init></os><metadata>%s</metadata></domain>`, name, notes)
}

// Who withdraws a name from a network bears that another removes it at any moment.
func TestNamesOnANetworkThatGoes(t *testing.T) {
	testhost.Need(t)
	ours, theirs := containers(t), containers(t)
	ended := make(chan error, 1)
	go func() { ended <- networkComesAndGoes(theirs, "fleeting") }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
		if err := virt.SetNames(ours, "fleeting", "leaver", nil); err != nil {
			t.Fatal(err)
		}
	}
}

// networkComesAndGoes makes a network of sbx's that knows a sandbox, and removes it, many
// times.
func networkComesAndGoes(conn *libvirt.Connect, name string) error {
	text := fmt.Sprintf("<network><name>%s</name><uuid>%s</uuid><dns><host ip='10.77.0.2'><hostname>leaver</hostname></host></dns></network>", name, compiler.UUID("network", name))
	for range 20 {
		network, err := conn.NetworkDefineXML(text)
		if err != nil {
			return err
		}
		err = errors.Join(network.Create(), network.Destroy(), network.Undefine(), network.Free())
		if err != nil {
			return err
		}
	}
	return nil
}
