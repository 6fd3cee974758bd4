package runtime_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
)

// sandboxes are the kinds of sandbox that must hold the same promises.
var sandboxes = []string{"lxc", "kvm"}

// prober is a sandbox that runs internal/probe, and a peer that speaks with it.
type prober struct {
	name, backend, host, data string
	tags                      []string // with which its profile is compiled
	address                   string   // at which the peer asks
	peer                      *testhost.Peer
	client                    http.Client
}

// newProber starts a sandbox at 10.84.0.HOST and fd84::HOST.
func newProber(t *testing.T, r *runtime.Runtime, backend, name, host string) *prober {
	t.Helper()
	p := &prober{name: name, backend: backend, host: host, data: filepath.Join(sharedDir(t), "data")}
	tags := []string{"name=" + name, "backend=" + backend, "host=" + host, "bin=" + program(t, "probe"), "data=" + p.data}
	if _, err := os.Stat("/dev/loop-control"); err == nil { // what a host without can bound, it says (internal/stage)
		tags = append(tags, "bounded="+p.data+".ext4")
	}
	p.tags = tags
	up(t, r, compile(t, "probe.cue", tags...))
	return p
}

// sharedDir is a new folder that sandboxes can reach: t.TempDir's parents let
// root alone pass.
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

// attach gives the prober the peer that its attempts are asked for from.
func (p *prober) attach(peer *testhost.Peer) { p.attachAt(peer, "10.84.0."+p.host) }

func (p *prober) attachAt(peer *testhost.Peer, address string) {
	p.peer, p.address, p.client = peer, address, clientOf(source{"peer", peer.Do})
}

// clientOf speaks HTTP from where the source is.
func clientOf(from source) http.Client {
	return http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(_ context.Context, network, address string) (conn net.Conn, err error) {
			err = from.do(func() error { conn, err = net.Dial(network, address); return err })
			return conn, err
		},
	}}
}

// try asks for an attempt, such as "/read?path=/etc/shadow". What came of it is
// the result's text or, where it failed, the name of the kernel's error.
func (p *prober) try(t *testing.T, attempt string) (text string, ok bool) {
	t.Helper()
	response, err := p.client.Get("http://" + p.address + attempt)
	if err != nil {
		t.Fatalf("%s: %v", attempt, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: %v", attempt, err)
	}
	return string(body), response.StatusCode == http.StatusOK
}

func TestWalls(t *testing.T) {
	testhost.Need(t)
	for _, backend := range sandboxes {
		t.Run(backend, func(t *testing.T) {
			r := newRuntime(t)
			p := newProber(t, r, backend, "walls-"+backend, "10")
			p.attach(testhost.NewPeer(t, bridgeOf(t, "probe"), "10.84.0.50/24", "fd84::50/64"))
			t.Run("inside", p.testInside)
			t.Run("writable", p.testWritable)
			t.Run("files", p.testFileOperations)
			t.Run("in", p.testIn)
			t.Run("out", p.testOut)
			t.Run("spoof", p.testSpoof)
			t.Run("attack", func(t *testing.T) { p.testAttack(t, r) })
		})
	}
}

// held are the profile's capabilities, net_bind_service and net_raw; a machine's
// root has two more, to use a writable folder of the host's (docs/machine.md).
var held = map[string]string{"lxc": "0000000000002400", "kvm": "000000000000240a"}

// inside is what the service, as its sandbox's root, must find. A failure is
// matched as "error NAME".
var inside = []struct{ what, attempt, want string }{
	{"the host's secrets do not exist", "/read?path=/etc/shadow", "error ENOENT"},
	{"root's home does not exist", "/read?path=/root", "error ENOENT"},
	{"nobody's home exists", "/read?path=/home", "error ENOENT"},
	{"the host's state does not exist", "/read?path=/var/lib", "error ENOENT"},
	{"the root holds what the profile names", "/read?path=/", `^(\.oldroot\n)?\.sbx\nbin\n(bounded\n)?data\ndev\netc\nlib\nlib64\nprobe\nproc\nsbin\nsys\ntmp\nusr$`},
	{"an inline file is there", "/read?path=/etc/motd", "^of the profile\n$"},
	{"the root takes no file", "/write?path=/file", "error (EROFS|EACCES|EPERM)"},
	{"an exposed folder takes no file", "/write?path=/usr/sbx-was-here", "error (EROFS|EACCES|EPERM)"},
	{"an exposed file takes no byte", "/write?path=/probe&text=x", "error (EROFS|EACCES|EPERM|ETXTBSY)"},
	{"an inline file takes no byte", "/write?path=/etc/motd&text=x", "error (EROFS|EACCES|EPERM)"},
	{"sbx's own folder takes no file", "/write?path=/.sbx/file", "error (EROFS|EACCES|EPERM)"},
	{"an exposed folder cannot be remounted", "/remount?path=/usr", "error EPERM"},
	{"the root cannot be remounted", "/remount?path=/", "error EPERM"},
	{"and still takes no file", "/write?path=/usr/sbx-was-here", "error (EROFS|EACCES|EPERM)"},
	{"an exposed folder cannot be unmounted", "/unmount?path=/usr", "error EPERM"},
	{"nothing can be mounted", "/mount?path=/tmp", "error EPERM"},
	{"the kernel's settings take no byte", "/write?path=/proc/sys/kernel/core_pattern&text=x", "error (EROFS|EACCES|EPERM)"},
	{"a tmpfs is writable", "/write?path=/tmp/file&text=x", "^$"},
	{"no interface but its own", "/interfaces", "^lo eth0$"},
	{"no capability may ever be held but the profile's", "/read?path=/proc/self/status", `(?m)^CapBnd:\tCAPS$`},
	{"no capability is held but the profile's", "/read?path=/proc/self/status", `(?m)^CapEff:\tCAPS$`},
	{"no capability is inherited but the profile's", "/read?path=/proc/self/status", `(?m)^CapAmb:\t000000000000[02][04]00$`},
	{"processes can be made", "/spawn?n=2", "^$"},
	{"no more processes than the profile allows", "/spawn?n=100", "error EAGAIN"},
	{"no limit of its own can be lifted", "/write?path=/sys/fs/cgroup/file", "error (EROFS|EACCES|EPERM|ENOENT)"},
	{"no process of the host is seen", "/read?path=/proc/1/cmdline", `^/\.sbx/init|^/init`},
}

func (p *prober) testInside(t *testing.T) {
	for _, c := range inside {
		got, ok := p.try(t, c.attempt)
		if !ok {
			got = "error " + got
		}
		want := strings.ReplaceAll(c.want, "CAPS", held[p.backend])
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s: %s gave %q, want %s", c.what, c.attempt, got, want)
		}
	}
}

// testWritable checks that what the sandbox writes is on the host, owned by an
// id that no account and no other sandbox has.
func (p *prober) testWritable(t *testing.T) {
	if got, ok := p.try(t, "/write?path=/data/file&text=from+inside"); !ok {
		t.Fatalf("writing to the writable mount: %s", got)
	}
	file := filepath.Join(p.data, "file")
	data, err := os.ReadFile(file)
	if err != nil || string(data) != "from inside" {
		t.Errorf("on the host the file holds %q (%v)", data, err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid < 1<<16 {
		t.Errorf("on the host the file belongs to the user %d", uid)
	}
}

// TestSandboxesAreClosedToEachOther shows one sandbox another's folder: the
// other's ids are not its own, so it reads nothing.
func TestSandboxesAreClosedToEachOther(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	a := newProber(t, r, "lxc", "closed-a", "20")
	peer := testhost.NewPeer(t, bridgeOf(t, "probe"), "10.84.0.51/24")
	a.attach(peer)
	if got, ok := a.try(t, "/write?path=/data/secret&text=x"); !ok {
		t.Fatalf("writing: %s", got)
	}
	b := &prober{name: "closed-b", backend: "lxc", host: "21", data: filepath.Join(sharedDir(t), "data")}
	up(t, r, compile(t, "probe.cue", "name="+b.name, "backend=lxc", "host="+b.host, "bin="+program(t, "probe"), "data="+b.data, "other="+a.data))
	b.attach(peer)
	if got, ok := b.try(t, "/read?path=/other"); !ok || got != "secret" {
		t.Fatalf("the other's folder shows %q", got)
	}
	if got, ok := b.try(t, "/read?path=/other/secret"); ok || got != "EACCES" {
		t.Errorf("reading the other's file gave %q", got)
	}
	if owner(t, a.data) == owner(t, b.data) {
		t.Errorf("both sandboxes' folders belong to the user %d", owner(t, a.data))
	}
	// The second sandbox cannot even be given the first one's folder to write to.
	_, err := r.Up(t.Context(), compile(t, "probe.cue", "name=closed-c", "backend=lxc", "host=22", "bin="+program(t, "probe"), "data="+a.data))
	if err == nil || !strings.Contains(err.Error(), "chown") {
		t.Errorf("a folder of another sandbox was taken: %v", err)
	}
}

func owner(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

// query writes an attempt with its arguments.
func query(path string, args ...string) string {
	v := url.Values{}
	for i := 0; i < len(args); i += 2 {
		v.Set(args[i], args[i+1])
	}
	return fmt.Sprintf("%s?%s", path, v.Encode())
}
