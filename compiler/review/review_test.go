package review

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/schema"
)

var update = flag.Bool("update", false, "rewrite the golden reports")

// version loads one file of an archive.
func version(t *testing.T, a *txtar.Archive, name string) (Version, []byte) {
	t.Helper()
	for _, f := range a.Files {
		if f.Name != name {
			continue
		}
		c := schema.Config{FS: fstest.MapFS{name: {Data: f.Data}}}
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

// A field that review does not know would change without a word.
func TestEveryFieldIsReviewed(t *testing.T) {
	reviewed := map[string]string{
		"Profile": "Backend Run Expose Mounts Network Networks Secrets Resources Capabilities Users Machine Hostname",
		"Run":     "Argv Env Workdir User Capabilities Umask Ready Health Restart Stop",
		"Mount":   "Host Tmpfs File Image Format Mode Writable",
		"Network": "Attach Bridge Create Address DHCP Gateway Routes DNS Allow Publish",
		"Publish": "TCP To On",
		"Subnet":  "Mode Address DHCP Domain",
		"Rule":    "In Out From To Connections",
		"Match":   "TCP UDP SCTP ICMP ICMPv6 Any",
		"Users":   "Namespace Base", "Machine": "Accel Kernel Modules", "Secret": "File Env Command",
		"Resources": "Memory CPUs Pids CPUWeight IOWeight",
	}
	// Name is how versions are matched; the others are words for people.
	without := "Name Description Labels Tests Source"
	for _, value := range []any{schema.Profile{}, schema.Run{}, schema.Mount{}, schema.Network{}, schema.Subnet{}, schema.Publish{}, schema.Rule{}, schema.Match{},
		schema.Users{}, schema.Machine{}, schema.Secret{}, schema.Resources{}} {
		kind := reflect.TypeOf(value)
		for _, field := range reflect.VisibleFields(kind) {
			known := strings.Fields(reviewed[kind.Name()] + " " + without)
			if !contains(known, field.Name) {
				t.Errorf("schema.%s.%s is not reviewed: compare it, then name it here", kind.Name(), field.Name)
			}
		}
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
