//go:build otherhost

package runtime_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/denied"
	"github.com/sbx-dev/sbx/runtime/doctor"
	"github.com/sbx-dev/sbx/schema"
)

// guardedProfile is the walled one under another name.
var guardedProfile = strings.NewReplacer("package walled", "package guarded", `"walled"`, `"guarded"`, "10.92.", "10.94.").Replace(walledProfile)

const guardFolder = compiler.StateDir + "/.guard"

// guardedRuntime is a program that has a guard.
func guardedRuntime(t *testing.T) *runtime.Runtime {
	t.Helper()
	r := runtime.New(runtime.Options{Guard: []string{os.Args[0], "guard"}, Init: program(t, "sbx-init"), Log: func(line string) { t.Log(line) }})
	t.Cleanup(r.Close)
	return r
}

// Whatever others do to an inner wall, the guard mends by itself, and tells; what passes
// meanwhile is what the outer wall lets pass. It does not take back what sbx does, does
// not run hot against who goes on removing the wall, and goes with the last of them.
func TestGuard(t *testing.T) {
	testhost.Need(t)
	r := guardedRuntime(t)
	bundle := compileText(t, guardedProfile)
	up(t, r, bundle)
	restore := keepNetworks(t)
	pid := guardProcess(t)
	sent := sendTo(t, "10.94.0.1", "10.94.0.2", deviceOf(t, "guarded"))
	testhost.WaitFor(t, "the wall to drop some", 5*time.Minute, func() bool {
		found, err := r.Denied("guarded")
		return err == nil && len(found.Walls) == 1 && found.Walls[0].In > 0
	})
	times := uint64(0)
	for _, by := range []struct {
		do    string
		found string
		outer bool // which stands
	}{
		{"delete table bridge sbx-guarded", "absent", true},
		{"flush table bridge sbx-guarded", "changed", true},
		{"flush chain bridge sbx-guarded refused_in", "changed", true},
		{"insert rule bridge sbx-guarded in accept", "changed", true},
		{"delete element bridge sbx-guarded ports_out4 { 10.94.0.1 . 5054 . udp }", "changed", true},
		{"add element bridge sbx-guarded ports_out4 { 10.94.0.1 . 22 . udp }", "changed", true},
		{"add table bridge sbx-guarded { flags dormant; }", "changed", true},
		{"delete table bridge sbx-guarded\ntable bridge sbx-guarded {\nchain in {\naccept\n}\n}\n", "changed", true},
		{"flush ruleset", "absent", false},
	} {
		before := sent.next() // until it is mended, anything may pass
		nft(t, by.do)
		times++
		testhost.WaitFor(t, by.do+" to be mended", 5*time.Minute, func() bool { return mendedOf(t, r).Times >= times })
		if m := mendedOf(t, r); m.Times != times || m.Found != by.found || m.Why != "" {
			t.Errorf("nft %s: it says %+v, and %d were to mend", by.do, m, times)
		}
		after := sent.next()
		sent.some(t)
		t.Logf("nft %s: until it is mended, of %d packets %d passed that the outer wall lets pass, and %d others", by.do, after.sent-before.sent, after.outer-before.outer, after.none-before.none)
		if by.outer && after.none > before.none {
			t.Errorf("nft %s: %d packets passed that the outer wall drops", by.do, after.none-before.none)
		}
	}
	sent.stop()
	if found := guardDrift(t, r); len(found) > 0 {
		t.Errorf("all is mended, and drift is %q", found)
	}
	if n := sent.late.Load(); n > 0 {
		t.Errorf("%d packets passed that were sent while the wall stood", n)
	}

	// Whatever sbx itself does, the outer wall's rules put back that nft flush ruleset took.
	bundle = compileText(t, strings.Replace(guardedProfile, "[5054]", "[5054, 6000]", 1))
	if changed, err := r.Up(t.Context(), bundle); err != nil || changed.Restarted {
		t.Fatalf("up with another rule does %+v: %v", changed, err)
	}
	if list := nft(t, "list set bridge sbx-guarded ports_out4"); !strings.Contains(list, "6000") {
		t.Errorf("the set is\n%s", list)
	}
	if m := mendedOf(t, r); m.Times != times {
		t.Errorf("sbx itself changed the wall, and the guard mended it %d times", m.Times-times)
	}
	isGuarded(t, r)
	if now := guardProcess(t); now != pid {
		t.Errorf("its process is %d, and was %d", now, pid)
	}

	t.Run("somebody goes on", func(t *testing.T) {
		removed := 0
		testhost.WaitFor(t, "the guard to wait longer", 5*time.Minute, func() bool {
			if nftTry("delete table bridge sbx-guarded") == nil {
				removed++
			}
			return strings.Contains(mendedOf(t, r).Why, "again and again")
		})
		if removed > 20 {
			t.Errorf("it mended %d times before it waited", removed)
		}
		t.Logf("it waits after %d times", removed)
		testhost.WaitFor(t, "the wall to stand again", 5*time.Minute, func() bool { return len(guardDrift(t, r)) == 0 })
	})

	t.Run("it is killed", func(t *testing.T) {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		testhost.WaitFor(t, "drift to say so", 5*time.Minute, func() bool { return slices.Equal(guardDrift(t, r), []string{"guard of sbx-guarded"}) })
		checks := doctor.Examine(t.Context(), r, schema.LXC)
		if i := slices.IndexFunc(checks, func(c doctor.Check) bool { return c.Name == "inner wall" }); checks[i].State != doctor.Warn || !strings.Contains(checks[i].Found, "sbx-guarded") {
			t.Errorf("doctor finds %+v", checks[i])
		}
		nft(t, "delete table bridge sbx-guarded")
		mended, err := r.Up(t.Context(), bundle)
		if err != nil || mended.Created || mended.Restarted || len(mended.Changes) != 2 {
			t.Fatalf("up does %+v: %v", mended, err)
		}
		if now := guardProcess(t); now == pid {
			t.Error("it is the same process")
		}
		nft(t, "delete table bridge sbx-guarded")
		testhost.WaitFor(t, "the new one to mend", 5*time.Minute, func() bool { return len(guardDrift(t, r)) == 0 })
	})

	restore()
	last := guardProcess(t)
	if _, err := r.Down(t.Context(), "guarded"); err != nil {
		t.Fatal(err)
	}
	if list := nft(t, "list tables"); strings.Contains(list, "sbx-guarded") {
		t.Errorf("down leaves %s", list)
	}
	testhost.WaitFor(t, "the guard to leave", 5*time.Minute, func() bool { return unix.Kill(last, 0) != nil || isZombie(last) })
	for _, part := range []string{"walls", "notes"} {
		if left, err := os.ReadDir(filepath.Join(guardFolder, part)); len(left) > 0 || err != nil {
			t.Errorf("down leaves %v in %s: %v", left, part, err)
		}
	}
}

// keepNetworks keeps the chains of libvirt's networks, which nft flush ruleset takes, and
// without which libvirt starts none for the next test: it makes them once.
func keepNetworks(t *testing.T) (restore func()) {
	t.Helper()
	kept := map[string][]byte{}
	for _, table := range []string{"iptables", "ip6tables"} {
		rules, err := exec.Command(table + "-save").Output()
		if err != nil {
			t.Fatal(err)
		}
		kept[table] = rules
	}
	return func() {
		t.Helper()
		for table, rules := range kept {
			back := exec.Command(table + "-restore")
			back.Stdin = bytes.NewReader(rules)
			if out, err := back.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", back, err, out)
			}
		}
	}
}

// isZombie says whether a process has ended, and nobody has asked how yet.
func isZombie(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && strings.Contains(string(status), "State:\tZ")
}

// isGuarded says that nobody has changed anything, as far as the guard is concerned, and
// what the guard has in the kernel's eyes.
func isGuarded(t *testing.T, r *runtime.Runtime) {
	t.Helper()
	if found := guardDrift(t, r); len(found) > 0 {
		t.Errorf("nobody has changed anything, and drift is %q", found)
	}
	with := 0
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", guardProcess(t)))
	if err != nil || len(threads) == 0 {
		t.Fatalf("it has no threads: %v", err)
	}
	for _, path := range threads {
		status, _ := os.ReadFile(path)
		for _, want := range []string{"NoNewPrivs:\t1\n", "Seccomp:\t2\n", "Groups:\t \n"} {
			if !strings.Contains(string(status), want) {
				t.Errorf("%s lacks %q:\n%s", path, want, status)
			}
		}
		if strings.Contains(string(status), "CapEff:\t0000000000001000\n") {
			with++
		} else if !strings.Contains(string(status), "CapEff:\t0000000000000000\n") {
			t.Errorf("%s:\n%s", path, status)
		}
		if strings.Contains(string(status), "Uid:\t0") {
			t.Errorf("%s is root's:\n%s", path, status)
		}
	}
	if with != 1 {
		t.Errorf("%d threads have a capability", with)
	}
}

func guardProcess(t *testing.T) (pid int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		if argv, _ := os.ReadFile(path); strings.HasSuffix(string(argv), "\x00guard\x00"+guardFolder+"\x00") {
			pid, err = strconv.Atoi(filepath.Base(filepath.Dir(path)))
		}
	}
	if err != nil || pid <= 1 {
		t.Fatalf("there is none: %v", err)
	}
	return pid
}

// guardDrift is what has drifted of the inner wall and of its guard.
func guardDrift(t *testing.T, r *runtime.Runtime) (objects []string) {
	t.Helper()
	found, err := r.Drift(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range found {
		if c.Sandbox == "guarded" && strings.Contains(c.Object, "sbx-guarded") && !strings.HasPrefix(c.Object, "filter") {
			objects = append(objects, c.Object)
		}
	}
	return objects
}

func mendedOf(t *testing.T, r *runtime.Runtime) denied.Mend {
	t.Helper()
	found, err := r.Denied("guarded")
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Mended) == 0 {
		return denied.Mend{}
	}
	return found.Mended[0]
}

// deviceOf is the host's end of the interface behind the named sandbox's wall.
func deviceOf(t *testing.T, name string) string {
	t.Helper()
	list := nft(t, "list table bridge sbx-"+name)
	_, rest, found := strings.Cut(list, `oifname "`)
	device, _, ended := strings.Cut(rest, `"`)
	if !found || !ended {
		t.Fatalf("the table names no device:\n%s", list)
	}
	return device
}

// sending is two streams from the host to a sandbox that none of its rules allows: to one
// port from that to which the sandbox may speak, which the outer wall lets pass, and to
// another, which it does not. Each packet says whether it was sent while the inner wall is
// known to stand, so that it does not matter when it is counted.
type sending struct {
	mu        sync.RWMutex // held, for reading, from the look whether it stands until a packet is sent
	disturbed bool
	counted
	late atomic.Int64 // that were sent while it stood, and passed
	stop func()       // which an emulated processor has time for other things after
}

type counted struct{ sent, outer, none atomic.Int64 }

type counts struct{ sent, outer, none int64 }

// next has the wall stand from now on, or no more, and gives the counts until now.
func (s *sending) next() counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disturbed = !s.disturbed
	return counts{s.sent.Load(), s.outer.Load(), s.none.Load()}
}

// some waits until both streams have sent on.
func (s *sending) some(t *testing.T) {
	t.Helper()
	before := s.sent.Load()
	testhost.WaitFor(t, "packets to be sent", 5*time.Minute, func() bool { return s.sent.Load() > before+50 })
}

// The ports of the streams.
const (
	outerPort = 5353
	nonePort  = 9999
)

// What their packets say.
const (
	whileStanding  = "it stands"
	whileDisturbed = "it is disturbed"
)

// sendTo sends both, and counts what leaves the host by the device, behind all walls.
func sendTo(t *testing.T, from, to, device string) *sending {
	t.Helper()
	s := new(sending)
	i, err := net.InterfaceByName(device)
	if err != nil {
		t.Fatal(err)
	}
	network := func(n uint16) uint16 {
		return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(network(unix.ETH_P_ALL)))
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: network(unix.ETH_P_ALL), Ifindex: i.Index})
	}
	if err == nil {
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000})
	}
	if err != nil {
		t.Fatal(err)
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer unix.Close(fd)
		for packet := make([]byte, 2048); ; {
			n, at, err := unix.Recvfrom(fd, packet, 0)
			if err != nil { // nothing came for a while
				select {
				case <-stop:
					return
				default:
					continue
				}
			}
			link, is := at.(*unix.SockaddrLinklayer)
			if !is || link.Pkttype != unix.PACKET_OUTGOING || n < 60+8 && n < int(packet[0]&15)*4+8 || packet[0]>>4 != 4 || packet[9] != unix.IPPROTO_UDP {
				continue
			}
			udp := packet[int(packet[0]&15)*4 : n]
			port := binary.BigEndian.Uint16(udp[2:])
			switch {
			case port != outerPort && port != nonePort:
			case string(udp[8:]) == whileStanding:
				s.late.Add(1)
			case port == outerPort:
				s.outer.Add(1)
			default:
				s.none.Add(1)
			}
		}
	}()
	var senders sync.WaitGroup
	for source, target := range map[int]int{5054: outerPort, 0: nonePort} {
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(from), Port: source}, &net.UDPAddr{IP: net.ParseIP(to), Port: target})
		if err != nil {
			t.Fatal(err)
		}
		senders.Go(func() {
			defer conn.Close()
			for tick := time.NewTicker(time.Millisecond); ; {
				select {
				case <-stop:
					return
				case <-tick.C:
					s.mu.RLock()
					text := whileStanding
					if s.disturbed {
						text = whileDisturbed
					}
					if _, err := conn.Write([]byte(text)); err == nil {
						s.sent.Add(1)
					}
					s.mu.RUnlock()
				}
			}
		})
	}
	s.stop = sync.OnceFunc(func() { close(stop); senders.Wait(); <-ended })
	t.Cleanup(s.stop)
	return s
}
