package needs

import "strings"

// Folders are where the loader looks for libraries besides what a program names.
var Folders = []string{
	"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
	"/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib",
}

// readBy is what a library reads of /etc, by the beginning of its name.
var readBy = []struct{ library, path string }{
	{"libpam.so", "/etc/pam.d"},
	{"libpam.so", "/etc/security"},
	{"libpam.so", "/etc/login.defs"},
	{"libssl.so", "/etc/ssl/openssl.cnf"},
	{"libkrb5.so", "/etc/krb5.conf"},
	{"libldap", "/etc/ldap"},
	{"libwrap.so", "/etc/hosts.allow"},
	{"libwrap.so", "/etc/hosts.deny"},
	{"libgnutls.so", "/etc/gnutls"},
	{"libodbc.so", "/etc/odbcinst.ini"},
}

// ReadBy is what the library of the file name reads of /etc.
func ReadBy(library string) (paths []string) {
	for _, r := range readBy {
		if strings.HasPrefix(library, r.library) {
			paths = append(paths, r.path)
		}
	}
	return paths
}
