package dpkg

import (
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"testing"
	"testing/fstest"
)

const status = `Package: web
Status: install ok installed
Architecture: amd64
Source: web-src (1.0)
Version: 1.0-1
Depends: web-common (= 1.0-1), libc6:any (>= 2) | musl, other
Pre-Depends: init
Conffiles:
 /etc/web/web.conf 0123456789abcdef0123456789abcdef
 /etc/web/old.conf 0123456789abcdef0123456789abcdef obsolete
Description: a line
 and more: of it

Package: web-common
Status: install ok installed
Architecture: all
Source: web-src
Version: 1.0-1

Package: other
Status: install ok installed
Version: 2

Package: gone
Status: deinstall ok config-files
Version: 1
`

func host() fstest.MapFS {
	return fstest.MapFS{
		"var/lib/dpkg/status":               {Data: []byte(status)},
		"var/lib/dpkg/info/web:amd64.list":  {Data: []byte("/.\n/usr\n/usr/sbin/web\n/lib/systemd/system/web.service\n")},
		"var/lib/dpkg/info/web-common.list": {Data: []byte("/etc/web\n/usr/share/web\n")},
	}
}

func TestDatabase(t *testing.T) {
	db, err := Open(host())
	if err != nil {
		t.Fatal(err)
	}
	want := &Package{
		Name: "web", Version: "1.0-1", Source: "web-src", arch: "amd64",
		Depends:   [][]string{{"web-common"}, {"libc6", "musl"}, {"other"}, {"init"}},
		Conffiles: map[string]string{"/etc/web/web.conf": "0123456789abcdef0123456789abcdef"},
	}
	if got := db.Package("web"); !reflect.DeepEqual(got, want) {
		t.Errorf("web is %+v, want %+v", got, want)
	}
	if db.Package("gone") != nil {
		t.Error("a package that was removed is installed")
	}
	var names []string
	for _, p := range db.Siblings("web") {
		names = append(names, p.Name)
	}
	if !slices.Equal(names, []string{"web", "web-common"}) {
		t.Errorf("the packages of web's source are %v", names)
	}
	for _, file := range []string{"/usr/sbin/web", "/sbin/web", "/usr/lib/systemd/system/web.service", "/lib/systemd/system/web.service"} {
		owners, err := db.Owner(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(owners) != 1 || owners[0].Name != "web" {
			t.Errorf("%s is of %v", file, owners)
		}
	}
	if _, err := Open(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a host without dpkg: %v", err)
	}
}

func FuzzDatabase(f *testing.F) {
	f.Add([]byte(status), []byte("/.\n/usr/sbin/web\n"))
	f.Fuzz(func(t *testing.T, status, list []byte) {
		db, err := Open(fstest.MapFS{"var/lib/dpkg/status": {Data: status}, "var/lib/dpkg/info/web.list": {Data: list}})
		if err != nil {
			return
		}
		for _, p := range db.Siblings("web") {
			if db.Package(p.Name) != p {
				t.Errorf("%q is another package", p.Name)
			}
			files, _ := db.Files(p)
			for _, file := range files {
				if file[0] != '/' {
					t.Errorf("%q is no path", file)
				}
			}
		}
	})
}
