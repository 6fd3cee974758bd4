package runtime

import (
	"errors"
	"net"
	"os"
	"testing"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// Where the daemon of one driver is there and does not answer, nobody is told that all
// there is is what the other one has, also not on a host on which machines have run without
// libvirtd.
func TestADriverThatDoesNotAnswer(t *testing.T) {
	testhost.Need(t)
	for answers, silent := range map[string]string{"virtlxcd": "virtqemud", "virtqemud": "virtlxcd"} {
		t.Run(silent, func(t *testing.T) { doesNotAnswer(t, socket(answers), socket(silent)) })
	}
}

// socket is where a daemon of libvirt's is asked.
func socket(daemon string) string { return "/run/libvirt/" + daemon + "-sock" }

// doesNotAnswer has libvirtd be the daemon of one driver, beside one at whose socket
// nobody is.
func doesNotAnswer(t *testing.T, own, silent string) {
	one := socket("libvirt")
	if err := os.Rename(one, own); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(os.Rename(own, one), os.Remove(silent)); err != nil {
			t.Fatal(err)
		}
	})
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: silent, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	r := New(Options{})
	defer r.Close()
	if _, err := r.state().Make(state.Embed, state.EmbedCache); err != nil {
		t.Fatal(err)
	}
	done := func(what string, err error) { t.Errorf("%s is removed: %v", what, err) }
	for what, err := range map[string]error{
		"what is nobody's": r.remover().Strays(t.Context(), done),
		"what is lost":     func() error { _, err := r.lost().Find(map[string]bool{}); return err }(),
		"the list":         func() error { _, err := r.List(); return err }(),
		"down --all":       r.DownAll(t.Context(), func(what string, err error) { done(what, err) }),
	} {
		if virt.ErrorCode(err) != libvirt.ERR_SYSTEM_ERROR {
			t.Errorf("%s: %v", what, err)
		}
	}
}
