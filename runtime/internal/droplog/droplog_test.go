package droplog

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler/identity"
	"github.com/sbx-dev/sbx/internal/denied"
)

// attribute is one of netlink's.
func attribute(kind uint16, data ...byte) []byte {
	out := binary.NativeEndian.AppendUint16(nil, uint16(4+len(data)))
	out = append(binary.NativeEndian.AppendUint16(out, kind), data...)
	return append(out, make([]byte, aligned(len(out))-len(out))...)
}

// message is one of the kernel's log.
func message(kind uint16, attributes ...[]byte) []byte {
	body := []byte{7, 0, 0x12, 0x34}
	for _, a := range attributes {
		body = append(body, a...)
	}
	out := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
	out = binary.NativeEndian.AppendUint16(out, kind)
	return append(append(out, make([]byte, 10)...), body...)
}

func prefix(text string) []byte { return attribute(tellsPrefix, append([]byte(text), 0)...) }

func number(n byte) []byte { return attribute(tellsNumber, 0, 0, 0, n) }

var (
	isIPv4 = attribute(tellsHeader, 0x08, 0x00, 4, 0)
	udp    = append([]byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 9}, 0x13, 0x88, 0, 53, 0, 8, 0, 0)
	link   = attribute(tellsLink, 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0)
)

// good is a datagram with two packets: one on its way out, and a tagged one on its way in.
var good = append(
	message(messagePacket, isIPv4, prefix("sbx-a early_refused_out"), number(1), link, attribute(tellsPayload, udp...)),
	message(messagePacket, isIPv4, prefix("sbx-a refused_in"), number(2), attribute(tellsVLAN), attribute(tellsPayload, udp...))...)

func TestRead(t *testing.T) {
	var got []packet
	read(good, func(p packet) { got = append(got, p) })
	want := []packet{
		{denied.Packet{Wall: "sbx-a", Ether: denied.IPv4, Sender: denied.MAC{2, 0, 0, 0, 0, 1}, From: netip.MustParseAddr("10.0.0.2"), To: netip.MustParseAddr("10.0.0.9"), Protocol: denied.UDP, Port: 53}, 5000, 0x1234, 1},
		{denied.Packet{Wall: "sbx-a", In: true, Ether: denied.IPv4, Tagged: true}, 0, 0x1234, 2},
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
	for name, datagram := range map[string][]byte{
		"nothing":               {},
		"half":                  good[:20],
		"of no wall":            message(messagePacket, isIPv4, prefix("something else"), attribute(tellsPayload, udp...)),
		"without a prefix":      message(messagePacket, isIPv4, attribute(tellsPayload, udp...)),
		"another message":       message(unix.NLMSG_ERROR, isIPv4, prefix("sbx-a refused_in")),
		"a message of no size":  make([]byte, 64),
		"an attribute too long": message(messagePacket, []byte{0xff, 0xff, 10, 0}),
	} {
		read(datagram, func(p packet) { t.Errorf("%s: %+v", name, p) })
	}
}

// FuzzRead reads any datagram.
func FuzzRead(f *testing.F) {
	f.Add(good)
	f.Fuzz(func(t *testing.T, datagram []byte) {
		read(datagram, func(p packet) {
			if p.Wall == "" {
				t.Errorf("a packet of no wall: %+v", p)
			}
		})
	})
}

// kernel stands at the other end of a socket of which a keeper reads: datagrams, as
// netlink's are.
func kernel(t *testing.T) (tell *os.File, listens uintptr) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	tell = os.NewFile(uintptr(pair[0]), "kernel")
	t.Cleanup(func() { tell.Close() })
	return tell, uintptr(pair[1])
}

func folder(t *testing.T) *os.File {
	t.Helper()
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

// A keeper writes what it is told, and goes on with what an earlier one has written.
func TestKeep(t *testing.T) {
	dir := folder(t)
	for round := uint64(1); round <= 2; round++ {
		tell, listens := kernel(t)
		stop := Keep(listens, dir, "a")
		other := message(messagePacket, isIPv4, prefix("sbx-b refused_in"), number(6), attribute(tellsPayload, udp...)) // of the same group
		tell.Write(append(good, other...))
		for limit := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			log, err := Read(dir.Name())
			if err == nil && len(log.Entries) == 2 && log.Entries[1].Count == round {
				if !log.Hears || log.Missed != 3*round || log.Entries[0].Wall != identity.Filter("a", "") {
					t.Errorf("the log is %+v", log)
				}
				break
			}
			if time.Now().After(limit) {
				t.Fatalf("the log is %+v: %v", log, err)
			}
		}
		stop()
		if _, err := os.Stat(filepath.Join(dir.Name(), partial)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it leaves %s: %v", partial, err)
		}
	}
}

// What the kernel has told by its end is in the log, though nobody had come to read it.
func TestKeepToTheEnd(t *testing.T) {
	for round := range 50 {
		dir := folder(t)
		tell, listens := kernel(t)
		stop := Keep(listens, dir, "a")
		const told = 5 // at once: more wait until some are read
		for range told {
			if _, err := tell.Write(good); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		log, err := Read(dir.Name())
		if err != nil || len(log.Entries) == 0 || log.Entries[0].Count != told {
			t.Fatalf("round %d: the log is %+v: %v", round, log, err)
		}
	}
}

// Where nobody may listen, the log says so.
func TestKeepOfNothing(t *testing.T) {
	dir := folder(t)
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	Keep(uintptr(null), dir, "a")()
	if log, err := Read(dir.Name()); err != nil || log.Hears {
		t.Errorf("the log is %+v: %v", log, err)
	}
}

// Whoever keeps a log can put anything in its place: root reads what is a file there.
func TestReadOfWhatIsNoLog(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(`{"hears":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, put := range map[string]func(at string) error{
		"a link":       func(at string) error { return os.Symlink(secret, at) },
		"another name": func(at string) error { return os.Link(secret, at) },
		"a pipe":       func(at string) error { return unix.Mkfifo(at, 0o600) },
		"a folder":     func(at string) error { return os.Mkdir(at, 0o700) },
		"too long": func(at string) error {
			return os.WriteFile(at, []byte(strings.Repeat(" ", denied.MaxSize+1)+"{}"), 0o600)
		},
		"no log": func(at string) error { return os.WriteFile(at, []byte("\x1b[2J"), 0o600) },
	} {
		dir := folder(t)
		if err := put(filepath.Join(dir.Name(), file)); err != nil {
			t.Fatal(err)
		}
		if log, err := Read(dir.Name()); err == nil {
			t.Errorf("%s: it is read as %+v", name, log)
		}
	}
	if _, err := Read(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without one: %v", err)
	}
}
