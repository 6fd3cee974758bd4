//go:build services

package main

import (
	"os"
	"strings"
	"testing"
)

// Further services of Debian 12's, whose packages `make test-services` installs.
func init() {
	draftedServices = append(draftedServices, []hosted{
		{unit: "memcached", client: `printf 'set a 0 0 1\r\nb\r\nget a\r\nquit\r\n' | socat -t60 - TCP:$A:11211`, wants: `VALUE a 0 1\s+b`},
		{unit: "mosquitto", client: "mosquitto_pub -h $A -t a -m b -r && mosquitto_sub -h $A -t a -C 1 -W 60", wants: `^b\n$`},
		{unit: "postgresql", says: "pg_hba.conf", edit: letPostgresIn, client: `psql "host=$A user=postgres connect_timeout=60" -Atc 'select 6*7'`, wants: `^42\n$`},
		{unit: "mariadb", says: "CREATE USER", client: "! mariadb -h $A -u nobody -e 'select 1' 2>&1", wants: `not allowed to connect`},
		{unit: "squid", client: `curl -sS -m 60 -x http://$A:3128 http://$A:1/ -o /dev/null -w '%{http_code}'`, wants: `^403$`},
		{unit: "ssh", says: "home folders", client: "ssh-keyscan -T 60 $A 2>/dev/null", wants: `ssh-ed25519|ssh-rsa`},
		{unit: "prometheus-node-exporter", says: "the sandbox's processes", client: "curl -fsS -m 60 http://$A:9100/metrics", wants: `node_exporter_build_info`},
		{unit: "rsyslog", says: "keeps what it writes", client: "logger -n $A -P 514 -T hello-rsyslog && echo sent", wants: `sent`},
		{unit: "vsftpd", says: "passive connections", client: "(sleep 1; echo QUIT) | socat -t60 - TCP:$A:21", wants: `220 .*vsFTPd`},
		{unit: "dnsmasq", client: "dig +time=60 +tries=1 @$A localhost +short", wants: `^127\.0\.0\.1\n$`},
		{unit: "named", client: "dig +time=60 +tries=1 @$A localhost +short", wants: `^127\.0\.0\.1\n$`},
		{unit: "smbd", client: "smbclient -N -L //$A", wants: `IPC\$`},
		{unit: "php8.2-fpm", client: "socat -u OPEN:/dev/null TCP:$A:9000 && echo open", wants: `open`},
	}...)
	shelf = append(shelf, []hosted{
		{profile: "nginx", machine: true, client: askNginx, wants: isAPage},
		{profile: "redis", machine: true, client: askRedis, wants: redisKeeps},
	}...)
}

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
