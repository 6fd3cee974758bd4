package embed

import (
	"fmt"
	"path/filepath"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// probe has the embedded driver find out what QEMU can do, which it remembers
// for as long as QEMU, libvirt and the kernel stay the same. That takes up to a
// minute, of which it says a word.
func (e *Driver) probe(conn *libvirt.Connect) error {
	ask := func() error {
		_, err := conn.GetCapabilities()
		return virt.Plain(err)
	}
	if qemu.KvmIsRootsOnly() {
		return e.tellOfProbe(func() error { return qemu.WithoutKVM(ask) })
	}
	known, err := filepath.Glob(e.Folder.Path(state.Embed, state.EmbedCache, "qemu/capabilities/*.xml"))
	if err != nil || len(known) > 0 {
		return err
	}
	return e.tellOfProbe(ask)
}

// What is known already is read in a tenth of the first time.
const (
	probeNotice = time.Second
	probeTick   = 10 * time.Second
)

// tellOfProbe says what takes so long, if it takes long.
func (e *Driver) tellOfProbe(ask func() error) error {
	start, done := time.Now(), make(chan error, 1)
	go func() { done <- ask() }()
	notice := "finding out what QEMU can do here, this once; it may take a minute"
	for wait := probeNotice; ; wait = probeTick {
		select {
		case err := <-done:
			return err
		case <-time.After(wait):
			e.Log(notice)
			notice = fmt.Sprintf("still asking QEMU, for %v so far", (time.Since(start) + probeTick).Round(time.Second))
		}
	}
}
