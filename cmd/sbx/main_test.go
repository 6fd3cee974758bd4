package main

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/guestkernel"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
)

var update = flag.Bool("update", false, "write the golden files anew")

// commands are the programs that scripts run: this test binary, under another
// name.
var commands = map[string]func(){"sbx": main}

func TestMain(m *testing.M) {
	if commands[filepath.Base(os.Args[0])] != nil {
		testscript.Main(m, commands)
	}
	testhost.Main(scripts{m}, guestkernel.Prepare)
}

// scripts are this package's tests, with the commands in their PATH.
type scripts struct{ m *testing.M }

func (s scripts) Run() int {
	testscript.Main(tests(s), commands) // does not return
	return 0
}

// tests are this package's, and the folder of what they build.
type tests struct{ m *testing.M }

func (t tests) Run() int {
	defer func() { os.RemoveAll(builtIn) }()
	return t.m.Run()
}

// builtIn is the folder in which guestInit has built; empty where it has not.
var builtIn string

// TestScripts runs testdata/script: what needs nothing but sbx itself.
func TestScripts(t *testing.T) {
	testscript.Run(t, params("testdata/script"))
}

// TestHostScripts runs testdata/host: what needs a libvirtd. All scripts share
// it, side by side, so each has sandboxes and addresses of its own.
func TestHostScripts(t *testing.T) {
	testhost.Need(t)
	t.Cleanup(func() { takeDown(t) }) // the scripts run side by side
	testscript.Run(t, params("testdata/host"))
}

// takeDown takes down what scripts that failed have left, so that it does not
// fail other tests. The others leave nothing, but for what libvirt is taking apart
// yet: sbx run does not wait for that.
func takeDown(t *testing.T) {
	left := sandboxes(t)
	for limit := time.Now().Add(5 * time.Minute); len(left) > 0 && !t.Failed(); left = sandboxes(t) {
		if time.Now().After(limit) {
			t.Errorf("left behind:\n%s", mustSbx(t, "ps"))
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, name := range left {
		mustSbx(t, "down", name)
	}
}

// sandboxes are the names that sbx ps lists.
func sandboxes(t *testing.T) (names []string) {
	t.Helper()
	var list []runtime.Sandbox
	if err := json.Unmarshal([]byte(mustSbx(t, "ps", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		names = append(names, s.Name)
	}
	return names
}

func params(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		UpdateScripts:       *update,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup:               setUp,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "killkeeper": killKeeper},
	}
}

// setUp tells the scripts where the profiles that ship, sbx-init and a kernel for machines
// are.
func setUp(e *testscript.Env) error {
	profiles, err := filepath.Abs("../../profiles")
	if err != nil {
		return err
	}
	e.Setenv("PROFILES", profiles)
	e.Setenv("GORACE", os.Getenv("GORACE")) // how the race detector is told what to do (scripts/test)
	if testing.Short() {
		return nil
	}
	bin, err := guestInit()
	if err != nil {
		return err
	}
	e.Setenv("SBX_INIT", bin)
	kernel, modules, err := guestkernel.Fetch()
	if err != nil {
		return err
	}
	e.Setenv("KERNEL", kernel)
	e.Setenv("MODULES", modules)
	return nil
}

// guestInit builds sbx-init once for all scripts.
var guestInit = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sbx-init-")
	if err != nil {
		return "", err
	}
	builtIn = dir
	bin := filepath.Join(dir, "sbx-init")
	build := exec.Command("go", "build", "-trimpath", "-o", bin, "../../initramfs/init") // as make build has compiled it
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return bin, nil
})

// exits is a script's command "exits CODE PROGRAM [ARGUMENT…]": the program must
// end with just that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENT…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%s exited with %d, not %d", args[1], got, want)
	}
}

// killKeeper is a script's command "killkeeper SANDBOX": it ends the sandbox's keeper,
// without a chance to tidy up.
func killKeeper(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: killkeeper SANDBOX")
	}
	text, err := os.ReadFile(filepath.Join("/var/lib/sbx", args[0], "keeper.lock"))
	ts.Check(err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	ts.Check(err)
	ts.Check(unix.Kill(pid, unix.SIGKILL))
}
