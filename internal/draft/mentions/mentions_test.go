package mentions

import (
	"reflect"
	"testing"
)

// TestIn finds what lines name, and passes over what is for people or no text.
func TestIn(t *testing.T) {
	const text = `# /var/lib/in-a-comment
; /var/lib/in-another
// /var/lib/in-a-third
CacheDir: /var/cache/app
log=/var/log/app/a.log, pid="/var/run/app.pid".
http://example.org/not/a/path a/b/c //twice
`
	want := []Mention{{"/var/cache/app", 4}, {"/var/log/app/a.log", 5}, {"/run/app.pid", 5}}
	if got := In([]byte(text)); !reflect.DeepEqual(got[:min(3, len(got))], want) {
		t.Errorf("%v, not %v", got, want)
	}
	if got := In([]byte("/var/lib/x\x00")); got != nil {
		t.Errorf("of what is no text: %v", got)
	}
}

func TestForPeople(t *testing.T) {
	for name, want := range map[string]bool{
		"/etc/nginx/sites-available/default": true, "/etc/nginx/sites-enabled/default": false,
		"/etc/x/README.Debian": true, "/etc/x/x.conf~": true, "/etc/x/x.conf.dpkg-old": true, "/etc/x/x.conf": false,
	} {
		if ForPeople(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
