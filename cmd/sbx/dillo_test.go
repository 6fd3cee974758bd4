//go:build services

package main

import (
	"fmt"
	"image/color"
	"image/png"
	"net"
	"net/http"
	"os"
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
		f, err := os.Open(shot)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		picture, err := png.Decode(f)
		if err != nil {
			t.Fatal(err)
		}
		green, size := 0, picture.Bounds()
		for y := range size.Max.Y {
			for x := range size.Max.X {
				if color.RGBAModel.Convert(picture.At(x, y)) == (color.RGBA{0, 0x80, 0x40, 0xff}) {
					green++
				}
			}
		}
		return green > 100_000
	})
}
