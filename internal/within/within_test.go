package within

import "testing"

func TestDir(t *testing.T) {
	for _, c := range []struct {
		path, dir string
		want      bool
	}{
		{"/srv", "/srv", true},
		{"/srv/www", "/srv", true},
		{"/srv", "/", true},
		{"/", "/", true},
		{"/srv-old", "/srv", false},
		{"/srv", "/srv/www", false},
	} {
		if got := Dir(c.path, c.dir); got != c.want {
			t.Errorf("%s in %s: %v", c.path, c.dir, got)
		}
	}
}
