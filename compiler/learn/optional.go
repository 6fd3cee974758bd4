package learn

import "github.com/sbx-dev/sbx/internal/within"

// optionals are what nearly every program looks for and does without, and who asks: a
// program's own needs are not among them. They are noted, never proposed.
var optionals = []struct{ path, by string }{
	{"/etc/ld.so.preload", "the loader (ld.so(8)) takes libraries from it that an administrator forces upon every program"},
	{"/etc/localtime", "the C library (tzset(3)) takes UTC without it"},
	{"/etc/timezone", "programs take UTC without it"},
	{"/etc/gai.conf", "the C library (getaddrinfo(3)) sorts addresses by its default without it"},
	{"/etc/host.conf", "the C library (host.conf(5)) looks names up by its default without it"},
	{"/etc/locale.alias", "the C library (locale(7)) knows languages by their usual names without it"},
	{"/etc/inputrc", "readline(3) has default keys without it"},
	{"/etc/selinux", "libselinux takes SELinux for switched off without it"},
	{"/etc/ssl/openssl.cnf", "OpenSSL (config(5ssl)) has defaults without it"},
	{"/etc/gnutls", "GnuTLS has defaults without it"},
	{"/etc/crypto-policies", "TLS libraries have defaults without it"},
	{"/run/systemd", "it is the host's systemd's own, which a sandbox does not have"},
	{"/run/nscd", "the C library asks a cache of names there, if there is one (nscd(8))"},
	{"/var/lib/sss", "the C library asks a cache of names there, if there is one (sssd(8))"},
	{"/var/db", "the C library looks for databases of names there (nsswitch.conf(5))"},
}

// optional says who asks for a path of these; empty where it is none.
func optional(p string) string {
	for _, o := range optionals {
		if within.Dir(p, o.path) {
			return o.by
		}
	}
	return ""
}
