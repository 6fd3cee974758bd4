package runtime_test

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
)

// When a container ends that sbx has told to, or with the command of sbx run, libvirt's
// process for it is in none of the groups any more in which libvirtd looks for who is left.
// Here that process stands still, so that it can be looked at.
func TestAnEndFindsNobodyInTheGroup(t *testing.T) {
	testhost.Need(t)
	// Each starts the container, and gives what ends it.
	for name, start := range map[string]func(*testing.T, *runtime.Runtime) (end func() error){
		"down": func(t *testing.T, r *runtime.Runtime) func() error {
			up(t, r, compileText(t, idleProfile("leaving")))
			return func() error {
				_, err := r.Down(t.Context(), "leaving")
				return err
			}
		},
		"run": runUntilRead,
	} {
		t.Run(name, func(t *testing.T) {
			end := start(t, newRuntime(t))
			_, controller := containerOf(t, "leaving")
			checkLeaves(t, controller, end)
		})
	}
}

// runUntilRead runs a command as sbx run does that ends when it has read what it is sent.
func runUntilRead(t *testing.T, r *runtime.Runtime) (end func() error) {
	b, err := compiler.Compile(loadText(t, idleProfile("leaving")), compiler.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	stdin, line := io.Pipe()
	started, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		command := channel.Command{Argv: []string{"/usr/bin/sh", "-c", "echo started; read line"}, Env: []string{"PATH=/usr/bin"}, Workdir: "/", User: "root"}
		_, err := r.Run(t.Context(), b, command, channel.Stdio{Stdin: stdin, Stdout: stdout})
		stdout.CloseWithError(err)
		ended <- err
	}()
	if _, err := started.Read(make([]byte, 100)); err != nil {
		t.Fatalf("the command did not begin: %v", err)
	}
	return func() error {
		if err := line.Close(); err != nil {
			return err
		}
		return <-ended
	}
}

// checkLeaves ends a container, whose process at libvirt's that is, and checks that this one
// leaves its groups before.
func checkLeaves(t *testing.T, controller int, end func() error) {
	t.Helper()
	before, own := groupsOf(t, controller), groupsOf(t, os.Getpid())
	if err := unix.Kill(controller, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- end() }()
	for limit := time.Now().Add(time.Minute); !maps.Equal(groupsOf(t, controller), own); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Errorf("after a minute it is in the groups %v, and this process in %v", groupsOf(t, controller), own)
			break
		}
	}
	if stat, err := os.ReadFile("/proc/" + strconv.Itoa(controller) + "/stat"); err != nil || !strings.Contains(string(stat), ") T ") {
		t.Errorf("it has been ended, which takes it from all groups, and not let go: %s, %v", stat, err)
	}
	if err := unix.Kill(controller, unix.SIGCONT); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if maps.Equal(before, own) {
		t.Error("it was in this process's groups from the beginning")
	}
	for limit := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) { // sbx run does not wait for the groups
		left, err := filepath.Glob("/sys/fs/cgroup/*/machine*/*leaving*")
		if err != nil {
			t.Fatal(err)
		}
		folders, err := filepath.Glob("/run/libvirt/lxc/leaving.*")
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, folders...)
		if len(left) == 0 {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("left after a minute: %v", left)
		}
	}
}

// groupsOf are a process's control groups, by their controllers.
func groupsOf(t *testing.T, pid int) map[string]string {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string]string{}
	for line := range strings.Lines(string(text)) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), ":")
		of, path, _ := strings.Cut(line, ":")
		groups[of] = path
	}
	return groups
}
