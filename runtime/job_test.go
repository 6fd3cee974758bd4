package runtime_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/logfile"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/internal/locks"
)

const withdrawnProfile = `package withdrawn

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "withdrawn"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "30"]
	expose: ["/usr"]
}
`

// What a failed run wrote last is its own, and nothing of a run before it; also where the
// one before had, as a machine may, a clock that was ahead of its.
func TestAFailedRunTellsOfItself(t *testing.T) {
	testhost.Need(t)
	r := runtime.New(runtime.Options{Init: program(t, "sbx-init"), Keeper: []string{os.Args[0], "keep"}})
	t.Cleanup(r.Close)
	up(t, r, compileText(t, withdrawnProfile)) // so that there is one of the name
	if _, err := r.Stop(t.Context(), "withdrawn"); err != nil {
		t.Fatal(err)
	}
	keepBundle(t, compileText(t, strings.Replace(withdrawnProfile, `["/usr/bin/sleep", "30"]`, `["/usr/bin/sh", "-c", "cat /proc/sys/kernel/random/uuid; exit 3"], every: "daily"`, 1)))
	said := map[string]bool{}
	for range 3 {
		_, err := r.RunJob(t.Context(), "withdrawn")
		failed := new(runtime.StartFailure)
		if !errors.As(err, &failed) {
			t.Fatalf("the run gives %v", err)
		}
		if len(failed.Records) != 1 || said[string(failed.Records[0].Data)] {
			t.Errorf("it tells of %d lines, of which %d are known from before: %v", len(failed.Records), len(said), failed)
			continue
		}
		said[string(failed.Records[0].Data)] = true
		putLogAhead(t, state.Folder(state.Default).Path("withdrawn", state.Log, "log"))
	}
}

// putLogAhead has the lines of a log be of half a minute from now.
func putLogAhead(t *testing.T, log string) {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var ahead strings.Builder
	at := time.Now().Add(logfile.Ahead / 2).UTC().Format(time.RFC3339Nano)
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(line, " ")
		ahead.WriteString(at + " " + rest)
	}
	if err := os.WriteFile(log, []byte(ahead.String()), 0); err != nil { // which keeps its owner and mode
		t.Fatal(err)
	}
}

// keepBundle has the bundle be what the job's next run is made from.
func keepBundle(t *testing.T, b *compiler.Bundle) (file string) {
	t.Helper()
	kept, err := json.Marshal(map[string]any{"index": b.Index, "files": b.Files})
	if err != nil {
		t.Fatal(err)
	}
	file = state.Folder(state.Default).Path("withdrawn", state.Bundle)
	if err := os.WriteFile(file, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A run of a job that waits while another sbx takes the job down does not make it anew.
func TestARunOfWhatIsTakenDown(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	b := compileText(t, withdrawnProfile)
	up(t, r, b)
	if _, err := r.Stop(t.Context(), "withdrawn"); err != nil {
		t.Fatal(err)
	}
	file := keepBundle(t, b)
	unlock, err := locks.Locks{Folder: state.Default}.Lock(t.Context(), "withdrawn")
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan bool, 1)
	runs := runtime.New(runtime.Options{Init: program(t, "sbx-init"), Log: func(string) { waits <- true }})
	defer runs.Close()
	ran := make(chan error, 1)
	go func() {
		_, err := runs.RunJob(t.Context(), "withdrawn")
		ran <- err
	}()
	select {
	case <-waits:
	case err := <-ran:
		t.Fatalf("the run does not wait: %v", err)
	}
	if err := os.Remove(file); err != nil { // what down does first of all that a run reads
		t.Fatal(err)
	}
	unlock()
	if err := <-ran; err == nil {
		t.Error("it has run")
	}
	if state := stateOf(t, r, "withdrawn"); state == "running" {
		t.Error("what was taken down runs again")
	}
}
