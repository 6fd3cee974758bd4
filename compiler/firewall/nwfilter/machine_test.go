package nwfilter

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/internal/guestkernel"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// machine is a sandbox as users have it: sbx has compiled its profile, booted
// it, and run internal/probe in it, which takes part in the wire from inside.
type machine struct {
	sbx     string // the program
	profile string // its file
	nic     firewall.Interface
	frames  io.Writer // that are to leave it

	session *exec.Cmd // that has the probe's end of the wire

	mu     sync.Mutex
	tokens []uint32 // of those that have reached it
}

const machineName = "lab"

// startMachine starts a machine on the lab's bridge.
func startMachine(t *testing.T) (sandbox, firewall.Interface) {
	t.Helper()
	kernel, modules := guestkernel.Get(t)
	dir := sharedDir(t)
	build(t, "make", "-C", "../../..", "build", "BIN="+dir)
	build(t, "env", "CGO_ENABLED=0", "go", "build", "-o", filepath.Join(dir, "probe"), "../../../internal/probe")
	t.Setenv("SBX_ACCEL", "tcg")
	t.Setenv("SBX_KERNEL", kernel)
	t.Setenv("SBX_MODULES", modules)
	m := &machine{sbx: filepath.Join(dir, "sbx"), profile: filepath.Join(dir, "lab.json")}
	t.Cleanup(func() { m.run(t, "down", machineName) })
	m.up(t, firewall.Rules{})
	m.nic = firewall.Interface{Filter: "sbx-" + machineName, MAC: m.mac(t), Addresses: labNIC.Addresses}
	m.connect(t)
	return m, m.nic
}

func build(t *testing.T, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
}

// sharedDir is a folder that QEMU's user reaches.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// machineProfile is the machine's profile, as JSON, with the rules.
func machineProfile(t *testing.T, probe string, rules firewall.Rules) []byte {
	t.Helper()
	var addresses []string
	for _, a := range labNIC.Addresses {
		bits := 24
		if a.Is6() {
			bits = 64
		}
		addresses = append(addresses, netip.PrefixFrom(a, bits).String())
	}
	profile, err := json.Marshal(map[string]any{
		"name": machineName, "backend": "kvm",
		"run":          map[string]any{"argv": []string{"/probe"}, "ready": map[string]any{"tcp": 80, "timeout": "3m"}},
		"mounts":       map[string]any{"/probe": map[string]any{"host": probe}},
		"network":      map[string]any{"bridge": labBridge, "address": addresses, "allow": append([]schema.Rule{}, rules.Allow...)},
		"capabilities": []string{"net_admin", "net_bind_service", "net_raw"},
		"resources":    map[string]any{"memory": "128MiB"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

// up has sbx make the machine run under these rules; one that runs is given
// another filter, and starts anew with the first rule that its kernel has to be
// set up for.
func (m *machine) up(t *testing.T, rules firewall.Rules) {
	t.Helper()
	if err := os.WriteFile(m.profile, machineProfile(t, filepath.Join(filepath.Dir(m.sbx), "probe"), rules), 0o644); err != nil {
		t.Fatal(err)
	}
	if said := m.run(t, "up", m.profile); m.session != nil && strings.Contains(said, "started anew") {
		m.connect(t)
	}
}

// run runs sbx.
func (m *machine) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(m.sbx, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("sbx %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// mac is the address that sbx has given the machine's interface.
func (m *machine) mac(t *testing.T) net.HardwareAddr {
	t.Helper()
	fields := strings.Fields(virsh(t, "-c", "qemu:///system", "domiflist", machineName))
	mac, err := net.ParseMAC(fields[len(fields)-1])
	if err != nil {
		t.Fatal(err)
	}
	return mac
}

// connect runs the probe's end of the wire in the machine until the test ends,
// and returns when it is there.
func (m *machine) connect(t *testing.T) {
	t.Helper()
	session := exec.Command(m.sbx, "exec", machineName, "--", "/probe", "wire")
	var complaints bytes.Buffer
	session.Stderr = &complaints
	in, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	m.frames, m.session = in, session
	open, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		m.listen(out, open)
	}()
	t.Cleanup(func() {
		in.Close()
		<-ended
		if err := session.Wait(); err != nil && m.session == session { // the last one, in the machine that runs
			t.Errorf("the probe in the machine: %v\n%s", err, &complaints)
		}
	})
	select {
	case <-open:
	case <-ended:
		t.Fatalf("the probe in the machine has ended:\n%s", &complaints)
	}
}

// listen notes the probes among the frames that reach the machine, until it has
// no more to say. An empty one at the start says that the wire is open.
func (m *machine) listen(out io.Reader, open chan<- struct{}) {
	for {
		size := make([]byte, 4)
		if _, err := io.ReadFull(out, size); err != nil {
			return
		}
		frame := make([]byte, min(binary.BigEndian.Uint32(size), maxProbeLen))
		if _, err := io.ReadFull(out, frame); err != nil {
			return
		}
		if len(frame) == 0 {
			close(open)
		}
		if number, ok := tokenIn(frame); ok {
			m.mu.Lock()
			m.tokens = append(m.tokens, number)
			m.mu.Unlock()
		}
	}
}

func (m *machine) enforce(t *testing.T, rules firewall.Rules) *Compiled {
	t.Helper()
	c, err := Compile(m.nic, rules)
	if err != nil {
		t.Fatal(err)
	}
	m.up(t, rules)
	return c
}

func (m *machine) send(frame []byte) error {
	_, err := m.frames.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return err
}

func (m *machine) received() []uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	tokens := m.tokens
	m.tokens = nil
	return tokens
}

// inProfile says whether a profile by itself can hold the rules: it has ICMP types
// by their names alone, nothing twice, and no other sandboxes.
func inProfile(t *testing.T, rules firewall.Rules) bool {
	t.Helper()
	named := func(r schema.Rule) bool { return slices.Contains(slices.Concat(r.From, r.To), "db") }
	if slices.ContainsFunc(rules.Allow, named) {
		return false
	}
	file := filepath.Join(t.TempDir(), "lab.json")
	if err := os.WriteFile(file, machineProfile(t, "/probe", rules), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := new(load.Config).Load(file)
	return err == nil
}
