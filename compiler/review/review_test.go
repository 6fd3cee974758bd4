package review

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/schema/load"
)

var update = flag.Bool("update", false, "rewrite the golden reports")

// version loads one file of an archive.
func version(t *testing.T, a *txtar.Archive, name string) (Version, []byte) {
	t.Helper()
	for _, f := range a.Files {
		if f.Name != name {
			continue
		}
		c := load.Config{FS: fstest.MapFS{name: {Data: f.Data}}}
		profiles, err := c.Load(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return Version{profiles[0], compiler.Peers(profiles)}, f.Data
	}
	t.Fatalf("the archive has no %s", name)
	return Version{}, nil
}

func TestPairs(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) < 12 {
		t.Fatal("pairs are missing", err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			before, oldText := version(t, a, "old.cue")
			after, newText := version(t, a, "new.cue")
			report, err := Compare(before, after)
			if err != nil {
				t.Fatal(err)
			}
			report.Text = !bytes.Equal(oldText, newText)
			var got bytes.Buffer
			if err := Text(&got, []*Report{report}); err != nil {
				t.Fatal(err)
			}
			want := &a.Files[len(a.Files)-1]
			if *update {
				want.Data = got.Bytes()
				if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want.Data), got.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			turnedAround(t, before, after, report)
		})
	}
}

// turnedAround checks that what is added one way is removed the other way.
func turnedAround(t *testing.T, before, after Version, there *Report) {
	t.Helper()
	back, err := Compare(after, before)
	if err != nil {
		t.Fatal(err)
	}
	opposite := map[Verdict]Verdict{Equivalent: Equivalent, Widened: Narrowed, Narrowed: Widened, Incomparable: Incomparable}
	if back.Verdict != opposite[there.Verdict] || len(back.Changes) != len(there.Changes) {
		t.Errorf("turned around it is %s with %d changes, but %s with %d", back.Verdict, len(back.Changes), there.Verdict, len(there.Changes))
	}
}

func contains(list []string, word string) bool {
	for _, w := range list {
		if w == word {
			return true
		}
	}
	return false
}

func TestNewAndGone(t *testing.T) {
	a, err := txtar.ParseFile("testdata/range-split.txtar")
	if err != nil {
		t.Fatal(err)
	}
	v, _ := version(t, a, "old.cue")
	for _, tt := range []struct {
		before, after Version
		want          Verdict
	}{{Version{}, v, Widened}, {v, Version{}, Narrowed}, {Version{}, Version{}, Equivalent}, {v, v, Equivalent}} {
		r, err := Compare(tt.before, tt.after)
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict != tt.want {
			t.Errorf("%s, want %s: %+v", r.Verdict, tt.want, r.Changes)
		}
	}
}

func TestAllow(t *testing.T) {
	a, err := txtar.ParseFile("testdata/cidr-one-bit.txtar")
	if err != nil {
		t.Fatal(err)
	}
	before, _ := version(t, a, "old.cue")
	after, _ := version(t, a, "new.cue")
	for name, allowed := range map[string]bool{
		"web": true, "ingress": true, "web/ingress": true, "egress": false, "we": false, "web/ingres": false, "other/ingress": false,
		"web/ingress/in tcp 8000-8010 from 10.0.1.0/24": true, "in tcp 8000-8010 from 10.0.1.0/24": false,
		"ingress/in tcp 8000-8010 from 10.0.1.0/24": true, "web/ingress/in tcp 8000-8010 from 10.0.1.0": false,
	} {
		r, err := Compare(before, after)
		if err != nil {
			t.Fatal(err)
		}
		if r.Allow([]string{name}); (len(r.Widenings()) == 0) != allowed {
			t.Errorf("--allow %q: %+v", name, r.Widenings())
		}
	}
}

// That a bound goes has a name of its own, which that of the new port does not hide.
func TestAllowOfAPortLeavesTheBound(t *testing.T) {
	a, err := txtar.ParseFile("testdata/bound-hidden.txtar")
	if err != nil {
		t.Fatal(err)
	}
	before, _ := version(t, a, "old.cue")
	after, _ := version(t, a, "new.cue")
	r, err := Compare(before, after)
	if err != nil {
		t.Fatal(err)
	}
	r.Allow([]string{"web/ingress/in tcp 443 from anyone over IPv4"})
	if left := r.Widenings(); len(left) != 1 || !strings.Contains(left[0].What, "any number of connections") {
		t.Errorf("%+v", left)
	}
}
