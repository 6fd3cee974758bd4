//go:build services

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// furtherUnits are services of Debian's that no client is asked of: what sbx init says is
// to be edited ("" for nothing), what sbx up says of the profile as it was written (""
// where the service starts), and what its log holds once it has ended in its own time
// ("" where it says nothing then).
var furtherUnits = []struct{ unit, edit, up, ends string }{
	{"lighttpd", "", "", ""},
	{"ngircd", "", "", ""},
	{"tor@default", "no container can have dac_read_search", "", ""},
	{"haproxy", "network.allow says where the servers are", "", "All workers exited"},
	{"snmpd", "agentaddress 127.0.0.1", "", ""},
	{"privoxy", "listen-address 127.0.0.1", "", ""},
	{"cron", "what its jobs may touch", "", ""},
	{"tinyproxy", "name its ports in network.allow", "", ""},
	{"beanstalkd", "beanstalkd.socket listens for the service", "", ""},
	{"nsd", "name its ports in network.allow", "", ""},
	{"chrony", "say allow there", "", ""},
	{"dovecot", "dovecot.socket listens for the service", "", ""},
	{"unbound", "", `/var/lib/unbound/root\.key.*No such file`, ""},
	{"cups", "cups.socket listens for the service", "SIGTERM", ""},
}

// TestFurtherUnits drafts profiles of further units: each is one that sbx takes, and the
// service starts, or what is missing is said.
func TestFurtherUnits(t *testing.T) {
	testhost.Need(t)
	for _, u := range furtherUnits {
		t.Run(u.unit, func(t *testing.T) {
			dir := t.TempDir()
			said := mustSbx(t, "init", "-C", dir, "--from", "unit:"+u.unit)
			if (u.edit != "") != strings.Contains(said, "edit ") || !strings.Contains(said, u.edit) {
				t.Errorf("it names other edits than %q:\n%s", u.edit, said)
			}
			files, err := filepath.Glob(filepath.Join(dir, "*.cue"))
			if err != nil || len(files) != 1 {
				t.Fatal("profiles: ", files, err)
			}
			asFarAsRootMay(t, files[0])
			mustSbx(t, "vet", files[0])
			profile, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			kept := keptOnTmpfs(t, profile)
			before := owners(t, kept)
			out, err := sbx(t, "up", files[0]).CombinedOutput()
			if err == nil {
				name := strings.TrimSuffix(filepath.Base(files[0]), ".cue")
				if u.ends != "" {
					mustSbx(t, "stop", name)
					if log := mustSbx(t, "logs", name); !strings.Contains(log, u.ends) {
						t.Errorf("it has not ended by itself, %q:\n%s", u.ends, log)
					}
				}
				mustSbx(t, "down", name)
			}
			if (u.up == "") != (err == nil) || !regexp.MustCompile(u.up).Match(out) {
				t.Errorf("sbx up: %v; want %q\n%s", err, u.up, out)
			}
			for path, is := range owners(t, kept) {
				if was, ok := before[path]; ok && was != is {
					t.Errorf("%s was %s and is %s", path, was, is)
				}
			}
		})
	}
}
