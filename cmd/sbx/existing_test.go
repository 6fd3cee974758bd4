//go:build services

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/schema"
)

// existing is a service whose data the host has already. Both scripts get what is to be
// done with the data as $1: host by the host's own program, which it starts and stops, and
// inside where sbx has it up as $NAME, at the address $A.
type existing struct {
	unit         string
	host, inside string

	write, read func(n int) string // what writes a number, and what reads all numbers

	shown []string // of its files, in the handbook
}

var existings = []existing{
	{
		unit: "postgresql",
		host: `install -d -o postgres -g postgres /run/postgresql
			ctl() { runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl -s -w -t 300 -D /var/lib/postgresql/15/main -l /dev/null -o '-c config_file=/etc/postgresql/15/main/postgresql.conf' "$1"; }
			cd / && ctl start && runuser -u postgres -- psql -qAtc "$1" && ctl stop`,
		inside: `sbx exec -u postgres $NAME -- psql -qAtc "$1"`,
		write: func(n int) string {
			return fmt.Sprintf("create table if not exists kept (n int); insert into kept values (%d)", n)
		},
		read:  func(int) string { return "select n from kept order by n" },
		shown: []string{"/var/lib/postgresql/15/main", "/var/lib/postgresql/15/main/PG_VERSION", "/etc/postgresql/15/main/pg_hba.conf"},
	},
	{
		unit: "redis-server", // whose unit says UMask=007
		host: `cd / && umask 007 && install -d -o redis /run/kept && runuser -u redis -- redis-server --port 0 --unixsocket /run/kept/sock --dir /var/lib/redis --daemonize yes >/dev/null &&
			for n in $(seq 600); do redis-cli -s /run/kept/sock ping >/dev/null 2>&1 && break; sleep 0.1; done
			redis-cli -s /run/kept/sock $1 && redis-cli -s /run/kept/sock save >/dev/null; redis-cli -s /run/kept/sock shutdown nosave
			while [ -e /run/kept/sock ]; do sleep 0.1; done`,
		inside: `redis-cli -h $A $1 && redis-cli -h $A save >/dev/null`,
		write:  func(n int) string { return fmt.Sprint("rpush kept ", n) },
		read:   func(int) string { return "lrange kept 0 -1" },
		shown:  []string{"/var/lib/redis", "/var/lib/redis/dump.rdb", "/etc/redis/redis.conf"},
	},
	{
		unit: "mariadb",
		host: `install -d -o mysql -g mysql /run/mysqld; cd /
			mariadbd --user=mysql --skip-networking --tmpdir=/run/mysqld >/run/mysqld/said 2>&1 & for n in $(seq 600); do mariadb -e 'select 1' >/dev/null 2>&1 && break; sleep 0.1; done
			mariadb -Ne "$1" && mariadb-admin shutdown && wait || { cat /run/mysqld/said; exit 1; }`,
		inside: `sbx exec -u mysql $NAME -- mariadb -Ne "$1"`,
		write: func(n int) string {
			return fmt.Sprintf("create database if not exists kept; create table if not exists kept.kept (n int); insert into kept.kept values (%d)", n)
		},
		read:  func(int) string { return "select n from kept.kept order by n" },
		shown: []string{"/var/lib/mysql", "/var/lib/mysql/ibdata1"},
	},
	{
		unit: "nginx",
		// the log is there as its logrotate makes it
		host:   `cd / && { [ -e /var/log/nginx/access.log ] || install -m 0640 -o www-data -g adm /dev/null /var/log/nginx/access.log; } && nginx && { [ "$1" = read ] && sed -n 's/.*GET .n\([0-9]*\) .*/\1/p' /var/log/nginx/access.log || curl -s -o /dev/null http://127.0.0.1/$1; } && nginx -s quit 2>/dev/null; while [ -e /run/nginx.pid ]; do sleep 0.1; done`,
		inside: `if [ "$1" = read ]; then sed -n 's/.*GET .n\([0-9]*\) .*/\1/p' /var/log/nginx/access.log; else curl -s -m 60 -o /dev/null http://$A/$1; fi`,
		write:  func(n int) string { return fmt.Sprint("n", n) },
		read:   func(int) string { return "read" },
		shown:  []string{"/var/log/nginx", "/var/log/nginx/access.log"},
	},
}

// TestExistingData has the host's own services write data, the sandboxes of their drafts
// read it and write more, and the host's own read all of it: nothing has another owner or
// mode by then, and what is new belongs to the service. The handbook's table says so.
func TestExistingData(t *testing.T) {
	testhost.Need(t)
	var table strings.Builder
	table.WriteString("| unit | what the host has | before | afterwards |\n|---|---|---|---|\n")
	for _, e := range existings {
		t.Run(e.unit, func(t *testing.T) { e.run(t, &table) })
	}
	if !t.Failed() {
		holdTable(t, "../../docs/drafts.md", table.String())
	}
}

func (e *existing) run(t *testing.T, table *strings.Builder) {
	dir := t.TempDir()
	mustSbx(t, "init", "-C", dir, "--from", "unit:"+e.unit)
	files, err := filepath.Glob(filepath.Join(dir, "*.cue"))
	if err != nil || len(files) != 1 {
		t.Fatal("profiles: ", files, err)
	}
	asFarAsRootMay(t, files[0])
	profile, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	kept := keptOnTmpfs(t, profile)
	address, name := addressOf(t, files[0]), strings.TrimSuffix(filepath.Base(files[0]), ".cue")
	do := func(script, what string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script, "sh", what)
		cmd.Env = append(os.Environ(), "A="+address, "NAME="+name, "PATH="+installation+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", what, err, out)
		}
		return strings.Join(strings.Fields(string(out)), " ")
	}
	do(e.host, e.write(1))
	before := owners(t, kept)
	mustSbx(t, "up", files[0])
	t.Cleanup(func() { _ = sbx(t, "down", name).Run() })
	if got := do(e.inside, e.read(0)); got != "1" {
		t.Errorf("inside, of what the host wrote there is %q", got)
	}
	do(e.inside, e.write(2))
	mustSbx(t, "down", name)
	after := owners(t, kept)
	if got := do(e.host, e.read(0)); got != "1 2" {
		t.Errorf("the host's own finds %q", got)
	}
	mayBe := map[string]bool{}
	for _, was := range before {
		_, owner, _ := strings.Cut(was, " of ")
		mayBe[owner] = true
	}
	for _, path := range slices.Sorted(maps.Keys(after)) {
		was, is := before[path], after[path]
		_, owner, _ := strings.Cut(is, " of ")
		switch {
		case was != "" && was != is:
			t.Errorf("%s was %s and is %s", path, was, is)
		case !mayBe[owner]:
			t.Errorf("%s is new, and %s", path, is)
		}
	}
	for _, path := range e.shown {
		if before[path] == "" {
			t.Errorf("%s was not there", path)
		}
		fmt.Fprintf(table, "| %s | %s | %s | %s |\n", e.unit, path, named(t, before[path]), map[bool]string{true: "the same", false: named(t, after[path])}[before[path] == after[path]])
	}
	t.Logf("%d files and folders of %s, each with the owner and mode that it had", len(before), strings.Join(kept, ", "))
}

// addressOf is where a profile's sandbox is reached.
func addressOf(t *testing.T, file string) string {
	t.Helper()
	var p schema.Profile
	if err := json.Unmarshal([]byte(mustSbx(t, "export", file)), &p); err != nil {
		t.Fatal(err)
	}
	address, _, _ := strings.Cut(p.Network.Address[0], "/")
	return address
}

// named is an owner and mode as owners gives it, with the names of the host.
func named(t *testing.T, text string) string {
	t.Helper()
	var mode, uid, gid string
	if _, err := fmt.Sscanf(strings.ReplaceAll(text, ":", " "), "%s of %s %s", &mode, &uid, &gid); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	u, err := user.LookupId(uid)
	if err != nil {
		t.Fatal(err)
	}
	g, err := user.LookupGroupId(gid)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("`%s` %s:%s", mode, u.Username, g.Name)
}

// holdTable holds a table of the handbook against what was found.
func holdTable(t *testing.T, file, table string) {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(table, "\n")
	before, rest, found := strings.Cut(string(page), head+"\n")
	said, after, ends := strings.Cut(rest, "\n\n")
	switch {
	case !found || !ends:
		t.Errorf("%s has no table that begins with %s", file, head)
	case *update:
		if err := os.WriteFile(file, []byte(before+table+"\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case head+"\n"+said+"\n" != table:
		t.Errorf("the table of %s is not true any more; it is, with -update:\n%s", file, table)
	}
}
