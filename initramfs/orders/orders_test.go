package orders

import (
	"bytes"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"
)

// ends are the two ends of a port.
func ends(t *testing.T) (host, guest net.Conn) {
	t.Helper()
	host, guest = net.Pipe()
	for _, end := range []net.Conn{host, guest} {
		t.Cleanup(func() { end.Close() })
		if err := end.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	return host, guest
}

// What comes before is dropped, and what follows is left to the channel.
func TestOrders(t *testing.T) {
	host, guest := ends(t)
	want := &Orders{Manifest: []byte(`{"name":"web"}`), Time: 5, Seed: []byte("random")}
	type taken struct {
		orders *Orders
		rest   string
		err    error
	}
	done := make(chan taken, 1)
	go func() {
		var got taken
		if _, got.err = guest.Write([]byte("a kernel's noise \xff\xff\x00sbx-guest-w")); got.err == nil {
			got.orders, got.err = Await(guest)
		}
		if got.err == nil {
			rest := make([]byte, 8)
			_, got.err = io.ReadFull(guest, rest)
			got.rest = string(rest)
		}
		done <- got
	}()
	if err := Waits(host); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Write([]byte("left by an earlier host \xff\x00sbx-host")); err != nil {
		t.Fatal(err)
	}
	if err := Give(host, want); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Write([]byte("greeting")); err != nil {
		t.Fatal(err)
	}
	got := <-done
	if got.err != nil || !reflect.DeepEqual(got.orders, want) || got.rest != "greeting" {
		t.Errorf("got %+v, %q, %v", got.orders, got.rest, got.err)
	}
}

// What is no order is refused, in bounded memory and time.
func TestNoOrders(t *testing.T) {
	for what, sent := range map[string]string{
		"nothing":         "",
		"a half of them":  string(orderMagic) + "\x00\x00\x00\x09{}",
		"no JSON":         string(orderMagic) + "\x00\x00\x00\x03{}}",
		"too many bytes":  string(orderMagic) + "\xff\xff\xff\xff",
		"noise for ever":  strings.Repeat("\xff\x00", maxBefore),
		"without a size":  string(orderMagic) + "\x00",
		"another's magic": string(takenMagic),
	} {
		port := struct {
			io.Reader
			io.Writer
		}{strings.NewReader(sent), io.Discard}
		if got, err := Await(port); err == nil {
			t.Errorf("%s: %+v", what, got)
		}
	}
	if err := Waits(bytes.NewReader(bytes.Repeat([]byte("noise"), maxBefore))); err == nil {
		t.Error("noise is taken for a machine that waits")
	}
}
