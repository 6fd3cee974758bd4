//go:build services

package main

import (
	"fmt"
	"image/color"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// The browser that ships shows its one site.
func TestDillo(t *testing.T) {
	needInit(t)
	l, err := net.Listen("tcp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	site := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<html><title>The site</title><body bgcolor="#008040"><h1>There</h1></body></html>`)
	})}
	go func() { _ = site.Serve(l) }() // until Close
	defer site.Close()
	port := l.Addr().(*net.TCPAddr).Port
	mustSbx(t, "up", "--tag", "port="+strconv.Itoa(port), "../../profiles/dillo.cue")
	defer mustSbx(t, "down", "dillo")
	shot := filepath.Join(t.TempDir(), "shot.png")
	testhost.WaitFor(t, "the site's green", browserLimit, func() bool {
		mustSbx(t, "view", "--screenshot", shot, "dillo")
		return ofColour(t, shot, color.RGBA{0, 0x80, 0x40, 0xff}) > 100_000
	})
}
