package forward

import (
	"context"
	"errors"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// forwards says that this process is a forwarder.
const forwards = "forwards"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == forwards {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := Main(ctx, os.Args[2]); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// ensure has a forwarder pass these ports on to the target.
func ensure(path, target string, listen ...string) error {
	var ports []Port
	for _, at := range listen {
		ports = append(ports, Port{Listen: at, Target: target})
	}
	l, err := Listen(path, ports)
	if err != nil {
		return err
	}
	defer l.Close()
	return Ensure(Command{Argv: []string{os.Args[0], forwards}, Path: path, Ports: l, PID: os.Getpid(), UserID: 0x70000042})
}

// A change of ports that cannot be leaves what there is; one that can keeps the sockets
// that stay, and what is under way on them, and gives back the others.
func TestHandOver(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	server := listenLocal(t)
	go echo(server)
	target, path := server.Addr().String(), filepath.Join(t.TempDir(), "forward")
	taken, first, second := listenLocal(t), unused(t), unused(t)
	if err := ensure(path, target, first); err != nil {
		t.Fatal(err)
	}
	defer Stop(path)
	under := dialTo(t, first)
	if got := say(under, "a"); got != "a" {
		t.Fatal(got)
	}
	was, err := current(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := ensure(path, target, first, taken.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a port that is taken: %v", err)
	}
	if now, err := current(path); err != nil || now == nil || now.PID != was.PID {
		t.Errorf("the forwarder has changed: %v, %v", now, err)
	}
	if err := ensure(path, target, first, second); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{first, second} {
		if got := say(dialTo(t, at), "b"); got != "b" {
			t.Errorf("%s: %s", at, got)
		}
	}
	if got := say(under, "c"); got != "c" {
		t.Errorf("what was under way: %s", got)
	}
	if err := ensure(path, target, second); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // the older one closes it as it is told
		l, err := net.Listen("tcp", first)
		if err == nil {
			l.Close()
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("the port is not given back: %v", err)
		}
	}
}

// unused is an address that nobody listens at.
func unused(t *testing.T) string {
	l := listenLocal(t)
	defer l.Close()
	return l.Addr().String()
}

func dialTo(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}
