package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/guestkernel"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/schema"
)

// hosted is a service of Debian's as it is installed, behind the walls of a profile.
type hosted struct {
	unit    string // the profile is drafted of it
	profile string // or it ships, under this name
	machine bool   // as a machine
	behind  string // the profile of another sandbox, which it asks
	tag     string // of both

	// before is what the host has and its package does not bring.
	before func(t *testing.T)

	// edit is the edit that the profile's text or the host needs, which sbx init names
	// in a line with the word says; most need none.
	says string
	edit func(t *testing.T, address string)

	client string // a shell's line, with $A for the address
	wants  string // what it prints, as an expression
}

// draftedServices are those of `make test`; `make test-services` has more.
var draftedServices = []hosted{
	{unit: "redis-server", client: askRedis, wants: redisKeeps},
	{unit: "nginx", client: askNginx, wants: isAPage},
	{unit: "apache2", client: "curl -fsS -m 60 http://$A/", wants: `(?i)<title>`},
}

// TestDraftedServices drafts a profile of each service, starts it, has a client ask it,
// and finds the host's files with the owners and modes that they had.
func TestDraftedServices(t *testing.T) {
	testhost.Need(t)
	for _, s := range draftedServices {
		t.Run(s.unit, func(t *testing.T) { s.run(t, s.draft(t)) })
	}
}

// draft has sbx write the profile, and gives its file.
func (s *hosted) draft(t *testing.T) string {
	t.Helper()
	if s.before != nil {
		s.before(t)
	}
	dir := t.TempDir()
	said := mustSbx(t, "init", "-C", dir, "--from", "unit:"+s.unit)
	if (s.says != "") != strings.Contains(said, "edit ") || !strings.Contains(said, s.says) {
		t.Errorf("it names other edits than %q:\n%s", s.says, said)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.cue"))
	if err != nil || len(files) != 1 {
		t.Fatal("profiles: ", files, err)
	}
	asFarAsRootMay(t, files[0])
	return files[0]
}

var drawnLimit = regexp.MustCompile(`(?m)^\s*(nofile|memlock): +([0-9]+|"[0-9]+[KM]iB") +// Limit.*\n`)

// asFarAsRootMay takes the limits out of a profile that this machine's root may not
// raise: in a container, it mostly may not.
func asFarAsRootMay(t *testing.T, file string) {
	t.Helper()
	profile, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	here := drawnLimit.ReplaceAllFunc(profile, func(line []byte) []byte {
		m := drawnLimit.FindSubmatch(line)
		var wanted schema.Amount
		if err := json.Unmarshal(m[2], &wanted); err != nil {
			t.Fatal(err)
		}
		resource := map[string]int{"nofile": unix.RLIMIT_NOFILE, "memlock": unix.RLIMIT_MEMLOCK}[string(m[1])]
		var now unix.Rlimit
		if err := unix.Getrlimit(resource, &now); err != nil {
			t.Fatal(err)
		}
		raised := unix.Rlimit{Cur: now.Cur, Max: uint64(wanted)}
		if raised.Max <= now.Max {
			return line
		}
		if err := unix.Setrlimit(resource, &raised); err != nil {
			t.Logf("root may not have it here: %s", strings.TrimSpace(string(line)))
			return nil
		}
		if err := unix.Setrlimit(resource, &now); err != nil {
			t.Fatal(err)
		}
		return line
	})
	if err := os.WriteFile(file, here, 0o644); err != nil {
		t.Fatal(err)
	}
}

// run starts the profile that stands in a file, and has the client ask it.
func (s *hosted) run(t *testing.T, file string) {
	profile, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	kept := keptOnTmpfs(t, profile)
	before := owners(t, kept)
	var drafted schema.Profile
	if err := json.Unmarshal([]byte(mustSbx(t, "export", file)), &drafted); err != nil {
		t.Fatal(err)
	}
	address, _, _ := strings.Cut(drafted.Network.Address[0], "/")
	if s.edit != nil {
		s.edit(t, address)
	}
	name := strings.TrimSuffix(filepath.Base(file), ".cue")
	var tags []string
	if s.tag != "" {
		tags = []string{"--tag", s.tag}
	}
	if s.behind != "" {
		mustSbx(t, append([]string{"up", filepath.Join("../../profiles", s.behind+".cue")}, tags...)...)
		t.Cleanup(func() { mustSbx(t, "down", s.behind) })
	}
	up := append([]string{"up", file}, tags...)
	if s.machine {
		kernel, modules := guestkernel.Get(t)
		up = append(up, "--tag", "backend=kvm", "--accel", "tcg", "--kernel", kernel, "--modules", modules)
	}
	mustSbx(t, up...)
	t.Cleanup(func() { mustSbx(t, "down", name) })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ask := func() {
		client := exec.CommandContext(ctx, "sh", "-c", s.client)
		client.Env = append(os.Environ(), "A="+address, "PATH="+installation+":"+os.Getenv("PATH"), "SBX_INIT="+filepath.Join(installation, "sbx-init"))
		out, err := client.CombinedOutput()
		if err != nil || !regexp.MustCompile(s.wants).Match(out) {
			t.Errorf("%s: %v\n%s\n%s", s.client, err, out, mustSbx(t, "logs", name))
		}
	}
	ask()
	if s.unit != "" && drafted.Run.Reload != nil {
		mustSbx(t, "reload", name)
		ask()
	}
	if c, err := net.DialTimeout("tcp", net.JoinHostPort(address, "7"), time.Second); err == nil {
		c.Close()
		t.Error("a port answers that the profile does not name")
	} else if !os.IsTimeout(err) {
		t.Errorf("a port that the profile does not name is not silent: %v", err)
	}
	refusesAllElse(t, name, address[:strings.LastIndexByte(address, '.')]+".1")
	for path, is := range owners(t, kept) {
		if was, ok := before[path]; ok && was != is {
			t.Errorf("%s was %s and is %s", path, was, is)
		}
	}
}

// refusesAllElse has a shell beside the service try what no profile of these opens: the
// host at its address on the network, its secrets, its programs.
func refusesAllElse(t *testing.T, name, host string) {
	t.Helper()
	called := listen(t, net.JoinHostPort(host, "7"))
	const script = `timeout 1 bash -c "echo >/dev/tcp/$0/7" 2>/dev/null && echo connects
		for file in /etc/shadow /root/.bashrc /etc/machine-id; do cat $file >/dev/null 2>&1 && echo reads $file; done
		for file in /usr/bin/mine /etc/passwd; do { : >>$file; } 2>/dev/null && echo writes $file; done; echo tried`
	out, err := sbx(t, "exec", name, "--", "/usr/bin/bash", "-c", script, host).CombinedOutput()
	if err != nil || string(out) != "tried\n" || called.Load() {
		t.Errorf("from inside: %v\n%s", err, out)
	}
}

// keptOnTmpfs puts the folders whose ids a profile keeps on file systems that can.
func keptOnTmpfs(t *testing.T, profile []byte) (kept []string) {
	t.Helper()
	for _, m := range mountWithIDs.FindAllSubmatch(profile, -1) {
		folder := string(m[1])
		if _, err := os.Stat(folder); os.IsNotExist(err) {
			if filepath.Dir(folder) != "/var/log" {
				continue // it is for another tag
			}
			onTmpfs(t, filepath.Dir(folder)) // sbx makes it
			continue
		}
		kept = append(kept, onTmpfs(t, folder))
	}
	return kept
}

var mountWithIDs = regexp.MustCompile(`\{host: "([^"]+)",[^\n]* ids: `)

// onTmpfs puts a folder, or that of a file, on a file system that can be mounted with
// other ids: a test host's folders are overlays, which cannot.
func onTmpfs(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !info.IsDir() {
		path = filepath.Dir(path)
	}
	script := `set -e; copy=$(mktemp -d); cp -a "$1/." "$copy"; mount -t tmpfs -o mode=0755 tmpfs "$1"; cp -a "$copy/." "$1"; rm -rf "$copy"`
	if out, err := exec.Command("sh", "-c", script, "sh", path).CombinedOutput(); err != nil {
		t.Fatalf("%s on a tmpfs: %v\n%s", path, err, out)
	}
	t.Cleanup(func() { _ = unix.Unmount(path, unix.MNT_DETACH) })
	return path
}

// owners are the owner and mode of all that is below folders.
func owners(t *testing.T, folders []string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil {
				st := info.Sys().(*syscall.Stat_t)
				all[path] = fmt.Sprintf("%v of %d:%d", info.Mode(), st.Uid, st.Gid)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// place makes a file of the host's, for as long as the test takes.
func place(t *testing.T, name, content string) {
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(name) })
}
