package draft

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/internal/draft/known"
	"github.com/sbx-dev/sbx/internal/draft/listening"
	"github.com/sbx-dev/sbx/internal/draft/profile"
	"github.com/sbx-dev/sbx/internal/unitfile"
)

// fromProcess drafts a profile of a process that runs: of its unit, or where it is no
// unit's, of its command, user and ports.
func fromProcess(host fs.FS, pid string, o profile.Origin) (*profile.Draft, error) {
	if n, err := strconv.Atoi(pid); err != nil || n < 1 {
		return nil, fmt.Errorf("%q is not the number of a process", pid)
	}
	proc := path.Join("proc", pid)
	groups, err := fs.ReadFile(host, path.Join(proc, "cgroup"))
	if err != nil {
		return nil, fmt.Errorf("there is no process %s that can be read: %w", pid, err)
	}
	var edit []string
	if unit := path.Base(strings.TrimSpace(string(groups))); strings.HasSuffix(unit, ".service") && strings.Contains(string(groups), "/system.slice/") {
		if _, err := unitfile.Read(host, unit); !errors.Is(err, unitfile.ErrNone) {
			return fromUnit(host, unit, o)
		}
		if script := scriptOf(host, unit); script != "" {
			edit = append(edit, "run.argv: "+script+" started it, which most likely has it go into the background, and a sandbox's must stay: give it the option that keeps it in the foreground")
		}
	}
	line, err := fs.ReadFile(host, path.Join(proc, "cmdline"))
	argv := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
	if err != nil || argv[0] == "" {
		return nil, fmt.Errorf("process %s has no command: it is the kernel's, or ends just now", pid)
	}
	if program, err := fs.ReadLink(host, path.Join(proc, "exe")); err == nil && !strings.HasSuffix(argv[0], path.Base(program)) || !strings.HasPrefix(argv[0], "/") {
		argv[0] = strings.TrimSuffix(program, " (deleted)")
	}
	k := known.Service{Argv: argv, Why: "what process " + pid + " runs", Ready: true, Edit: edit}
	k.User = userOf(host, proc)
	k.Listens = listening.Of(host, []string{pid})
	return fromService(host, unitfile.New(path.Base(argv[0])+".service"), k, o)
}

// userOf is the user of a process, by its effective id; "" for root.
func userOf(host fs.FS, proc string) string {
	status, err := fs.ReadFile(host, path.Join(proc, "status"))
	if err != nil {
		return ""
	}
	ids := map[string]string{}
	for line := range strings.Lines(string(status)) {
		if w := strings.Fields(line); len(w) == 5 && (w[0] == "Uid:" || w[0] == "Gid:") {
			ids[w[0]] = w[2]
		}
	}
	if ids["Uid:"] == "0" || ids["Uid:"] == "" {
		return ""
	}
	if u, ok := readAccounts(host).User(ids["Uid:"]); ok && strconv.Itoa(u.GID) == ids["Gid:"] {
		return u.Name
	}
	return ids["Uid:"] + ":" + ids["Gid:"]
}
