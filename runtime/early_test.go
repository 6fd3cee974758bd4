package runtime_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// QEMU has one connection at a time to a machine's first process, and that is its sbx
// run's: who comes while the machine starts waits, as sbx ps and sbx view do, and neither
// keeps the other from it.
func TestWhoComesEarly(t *testing.T) {
	testhost.Need(t)
	profiles, err := new(load.Config).Load("testdata/plain.cue")
	if err != nil {
		t.Fatal(err)
	}
	profiles[0].Name, profiles[0].Backend = "early", schema.KVM
	b, err := compiler.Compile(profiles[0], compiler.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	r, other := newRuntime(t), newRuntime(t)
	in, line := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		exit, err := r.Run(ctx, b, channel.Command{Argv: []string{"/bin/sh", "-c", "read line"}, Env: []string{"PATH=/usr/bin"}, Workdir: "/", User: "root"}, channel.Stdio{Stdin: in})
		if err == nil && exit.Code != 0 {
			err = fmt.Errorf("it ended with %+v", exit)
		}
		ended <- err
	}()
	var early *channel.Client
	for early == nil { // until there is something to come to
		select {
		case err := <-ended:
			t.Fatalf("the run: %v", err)
		case <-time.After(time.Millisecond):
		}
		early, _ = other.Attach(ctx, "early")
	}
	exit, err := early.Exec(ctx, channel.Command{Argv: []string{"/bin/true"}, Env: []string{"PATH=/usr/bin"}, Workdir: "/", User: "root"}, channel.Stdio{})
	if err != nil || exit.Code != 0 {
		t.Errorf("who came early: %+v, %v", exit, err)
	}
	early.Close()
	if _, err := line.Write([]byte("go\n")); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the run: %v", err)
	}
}
