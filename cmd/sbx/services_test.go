//go:build services

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/guestkernel"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// What more clients ask. Those of databases make an account for themselves from inside.
const (
	askMemcached = `printf 'set a 0 0 1\r\nb\r\nget a\r\nquit\r\n' | socat -t60 - TCP:$A:11211`
	memcachedHas = `VALUE a 0 1\s+b`
	askDNS       = "dig +time=60 +tries=1 @$A localhost +short"
	isLocal      = `^127\.0\.0\.1\n$`
	askPHP       = "curl -fsS -m 60 http://$A/sbx-shelf.php"
	isRun        = `^42 as www-data$`
	// what is no port of the web's it refuses itself, as it does what it cannot reach
	askSquid = "curl -sS -m 60 -x http://$A:3128 http://$A:1/ -o /dev/null -w '%{http_code}'"
	// who reads may not write, and what is not there is no answer
	askSamba     = "smbclient -N //$A/public -t 60 -c 'get sbx-shelf -' 2>/dev/null && ! smbclient -N //$A/public -t 60 -c 'put /etc/hostname written'"
	askRsyslog   = `logger -n $A -P 514 -T hello-rsyslog && for n in $(seq 120); do grep -h hello-rsyslog /var/log/sbx/rsyslog/*.log 2>/dev/null && exit; sleep 0.5; done; exit 1`
	askMosquitto = "mosquitto_pub -h $A -t a -m b -r && mosquitto_sub -h $A -t a -C 1 -W 60"
	askSSH       = `d=$(mktemp -d) && trap 'rm -r $d' EXIT && ssh-keygen -qt ed25519 -N "" -f $d/key &&
		sbx up ../../profiles/sshd.cue --tag key="$(cat $d/key.pub)" &&
		echo "put $d/key.pub sbx-shelf.pub" | sftp -b - -i $d/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null www-data@$A &&
		! ssh -i $d/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null www-data@$A id &&
		cmp $d/key.pub /srv/www/sbx-shelf.pub && echo there`
	// its JSON has all in base64
	askEtcd  = `curl -fsS -m 60 http://$A:2379/v3/kv/put -d '{"key":"YQ==","value":"Yg=="}' && curl -fsS -m 60 http://$A:2379/v3/kv/range -d '{"key":"YQ=="}'`
	askRsync = `d=$(mktemp -d) && trap 'rm -r $d' EXIT && rsync rsync://$A/pub/sbx-shelf $d && cat $d/sbx-shelf`

	askPostgres = `sbx exec -u postgres postgresql -- psql -qc "create role shelf login password 'shelf'" &&
		PGPASSWORD=shelf psql "host=$A user=shelf dbname=postgres connect_timeout=60" -Atc 'select 6*7'`
	askMariadb = `sbx exec -u mysql mariadb -- mariadb -e "create user shelf@'10.87.5.1' identified by 'shelf'" &&
		mariadb -h $A -u shelf -pshelf -Ne 'select 6*7'`
)

// Further services of Debian 12's, whose packages `make test-services` installs.
func init() {
	draftedServices = append(draftedServices, []hosted{
		{unit: "memcached", client: askMemcached, wants: memcachedHas},
		{unit: "mosquitto", client: askMosquitto, wants: `^b\n$`},
		{unit: "postgresql", says: "pg_hba.conf", edit: letPostgresIn, client: `psql "host=$A user=postgres connect_timeout=60" -Atc 'select 6*7'`, wants: `^42\n$`},
		{unit: "mariadb", says: "CREATE USER", client: "! mariadb -h $A -u nobody -e 'select 1' 2>&1", wants: `not allowed to connect`},
		{unit: "varnish", says: "network.allow says", client: `curl -sS -m 60 http://$A:6081/ -o /dev/null -w '%{http_code}'`, wants: `^503$`},
		{unit: "squid", client: `curl -sS -m 60 -x http://$A:3128 http://$A:1/ -o /dev/null -w '%{http_code}'`, wants: `^403$`},
		{unit: "ssh", says: "home folders", client: "ssh-keyscan -T 60 $A 2>/dev/null", wants: `ssh-ed25519|ssh-rsa`},
		{unit: "prometheus-node-exporter", says: "the sandbox's processes", client: "curl -fsS -m 60 http://$A:9100/metrics", wants: `node_exporter_build_info`},
		{unit: "rsyslog", says: "keeps what it writes", client: "logger -n $A -P 514 -T hello-rsyslog && echo sent", wants: `sent`},
		{unit: "vsftpd", says: "passive connections", client: "(sleep 1; echo QUIT) | socat -t60 - TCP:$A:21", wants: `220 .*vsFTPd`},
		{unit: "dnsmasq", client: askDNS, wants: isLocal},
		{unit: "named", client: askDNS, wants: isLocal},
		{unit: "smbd", client: "smbclient -N -L //$A", wants: `IPC\$`},
		{unit: "caddy", client: askNginx, wants: `Caddy`},
		{unit: "prometheus", client: "curl -fsS -m 60 http://$A:9090/-/ready", wants: `Ready`},
		{unit: "etcd", client: askEtcd, wants: `"value":"Yg=="`},
		{unit: "apt-cacher-ng", client: "curl -sS -m 60 http://$A:3142/ -o /dev/null -w '%{http_code}'", wants: `^406$`},
		{unit: "rsync", before: aModule, client: askRsync, wants: `^42\n$`},
		{unit: "pdns", client: "dig +time=60 +tries=1 @$A example.org", wants: `status: REFUSED`},
		{unit: "php8.2-fpm", client: "socat -u OPEN:/dev/null TCP:$A:9000 && echo open", wants: `open`},
	}...)
	shelf = append(shelf, []hosted{
		{profile: "postgresql", client: askPostgres, wants: `^42\n$`},
		{profile: "haproxy", behind: "nginx", client: askNginx, wants: isAPage},
		{profile: "memcached", client: askMemcached, wants: memcachedHas},
		{profile: "mosquitto", client: askMosquitto, wants: `^b\n$`},
		{profile: "php-web", behind: "php-fpm", edit: aScript, client: askPHP, wants: isRun},
		{profile: "sshd", client: askSSH, wants: `(?s)there\n$`},
		{profile: "dnsmasq", client: askDNS, wants: isLocal},
		{profile: "vsftpd", edit: aFile, client: "curl -fsS -m 60 ftp://$A/sbx-shelf && ! curl -sS -m 60 -T /etc/hostname ftp://$A/", wants: `^42\n`},
		{profile: "mariadb", client: askMariadb, wants: `^42\n$`},
		{profile: "php-web", behind: "php-fpm", tag: "over=unix", edit: aScriptByASocket, client: askPHP, wants: isRun},
		{profile: "unbound", client: askDNS, wants: isLocal},
		{profile: "squid", client: askSquid, wants: `^403$`},
		{profile: "samba", edit: aSharedFile, client: askSamba, wants: `(?s)^42\n.*(DENIED|denied)`},
		{profile: "rsyslog", client: askRsyslog, wants: `hello-rsyslog`},
		{profile: "node-exporter", client: "curl -fsS -m 60 http://$A:9100/metrics", wants: `(?s)node_cpu_seconds_total\{.*node_disk_.*node_load1 .*node_memory_MemTotal_bytes .*node_network_info\{.*device="sbx`},
		{profile: "unbound", machine: true, client: askDNS, wants: isLocal},
		{profile: "rsyslog", machine: true, client: askRsyslog, wants: `hello-rsyslog`},
		{profile: "node-exporter", machine: true, client: "curl -fsS -m 60 http://$A:9100/metrics", wants: `node_memory_MemTotal_bytes`},
		{profile: "apache", machine: true, client: askNginx, wants: isAPage},
		{profile: "nginx", machine: true, client: askNginx, wants: isAPage},
		{profile: "redis", machine: true, client: askRedis, wants: redisKeeps},
		{profile: "haproxy", machine: true, behind: "nginx", client: askNginx, wants: isAPage},
		{profile: "memcached", machine: true, client: askMemcached, wants: memcachedHas},
		{profile: "php-web", machine: true, behind: "php-fpm", edit: aScript, client: askPHP, wants: isRun},
		{profile: "php-fpm", machine: true, client: "! socat -u OPEN:/dev/null TCP:$A:9000,connect-timeout=2 && echo closed", wants: `closed\n$`},
		{profile: "vsftpd", machine: true, edit: aFile, client: "curl -fsS -m 60 ftp://$A/sbx-shelf", wants: `^42\n`},
		{profile: "dnsmasq", machine: true, client: askDNS, wants: isLocal},
	}...)
}

// TestShelfJobs runs the two jobs that ship as machines: the text of a page comes out of
// one, a program of the other, and neither has a network.
func TestShelfJobs(t *testing.T) {
	testhost.Need(t)
	kernel, modules := guestkernel.Get(t)
	run := func(stdin string, args ...string) string {
		t.Helper()
		cmd := sbx(t, append([]string{"run", "--tag", "backend=kvm", "--accel", "tcg", "--kernel", kernel, "--modules", modules}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("sbx run %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	archive, err := txtar.ParseFile("testdata/host/jobs.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.Files {
		files[f.Name] = string(f.Data)
	}
	if text := run(files["strange.pdf"], "pdftotext"); !strings.Contains(text, "Hello from a PDF\n") {
		t.Errorf("the text of the PDF is %q", text)
	}
	const project = "/srv/sbx-job" // QEMU is a user of the host, who makes what is built
	if err := errors.Join(os.MkdirAll(project, 0o755), os.Chmod(project, 0o777)); err != nil {
		t.Fatal(err)
	}
	place(t, filepath.Join(project, "hello.c"), files["project/hello.c"])
	run("", "--rw", project, "-w", project, "build", "/usr/bin/gcc", "-o", "hello", "hello.c")
	if out, err := exec.Command(filepath.Join(project, "hello")).CombinedOutput(); err != nil || string(out) != "built\n" {
		t.Errorf("what was built: %v\n%s", err, out)
	}
	run("", "build", "/usr/bin/bash", "-c", "! echo x >/dev/tcp/192.0.2.1/80")
}

// aScript is one of the host's that PHP is to run, and aFile one to fetch.
func aScript(t *testing.T, _ string) {
	place(t, "/var/www/html/sbx-shelf.php", `<?php echo 6*7, " as ", posix_getpwuid(posix_geteuid())["name"];`)
}

// aScriptByASocket is the same where PHP is asked by a socket between the two. A test
// host's /var/lib is an overlay, which has no ID-mapped mounts.
func aScriptByASocket(t *testing.T, address string) {
	aScript(t, address)
	folder, err := state.Folder(state.Default).Make(state.Sockets)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", folder, "tmpfs", 0, "mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func aSharedFile(t *testing.T, _ string) {
	if err := os.MkdirAll("/srv/samba", 0o755); err != nil {
		t.Fatal(err)
	}
	place(t, "/srv/samba/sbx-shelf", "42\n")
}

// aModule is what rsync's unit asks to be there before it starts.
func aModule(t *testing.T) {
	if err := os.MkdirAll("/srv/pub", 0o755); err != nil {
		t.Fatal(err)
	}
	place(t, "/srv/pub/sbx-shelf", "42\n")
	place(t, "/etc/rsyncd.conf", "[pub]\npath = /srv/pub\n")
}

func aFile(t *testing.T, _ string) { place(t, "/srv/ftp/sbx-shelf", "42\n") }

// letPostgresIn is the edit that sbx init names: who may log in from the host.
func letPostgresIn(t *testing.T, address string) {
	host := address[:strings.LastIndexByte(address, '.')] + ".1/32"
	f, err := os.OpenFile("/etc/postgresql/15/main/pg_hba.conf", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("host all all " + host + " trust\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
