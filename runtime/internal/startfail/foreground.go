package startfail

import (
	"path/filepath"
	"strings"
)

// foregroundFlags keep well-known daemons in the foreground, by how their
// programs' names begin; each is from the program's manual.
var foregroundFlags = []struct{ program, flags string }{
	{"apache2", "-DFOREGROUND"},
	{"atd", "-f"},
	{"chronyd", "-n"},
	{"cron", "-f"},
	{"dnsmasq", "--keep-in-foreground"},
	{"dovecot", "-F"},
	{"exim", "-bdf"},
	{"httpd", "-DFOREGROUND"},
	{"lighttpd", "-D"},
	{"named", "-f"},
	{"nginx", "-g 'daemon off;'"},
	{"nmbd", "--foreground"},
	{"ntpd", "-n"},
	{"php-fpm", "--nodaemonize"},
	{"postfix", "start-fg"},
	{"proftpd", "--nodaemon"},
	{"redis-server", "--daemonize no"},
	{"rpcbind", "-f"},
	{"rsyslogd", "-n"},
	{"slapd", "-d 0"},
	{"smbd", "--foreground"},
	{"squid", "--foreground"},
	{"sshd", "-D"},
	{"unbound", "-d"},
	{"vsftpd", "-obackground=NO"},
}

// foreground says what a command lacks that ends with success when it should
// run on.
func foreground(argv []string) string {
	const rule = "a service must stay in the foreground"
	if len(argv) > 0 {
		for _, known := range foregroundFlags {
			if strings.HasPrefix(filepath.Base(argv[0]), known.program) {
				return rule + ": " + known.program + " does with " + known.flags
			}
		}
	}
	return rule + ", and daemons have a flag for it; for a command that ends there is sbx run"
}
