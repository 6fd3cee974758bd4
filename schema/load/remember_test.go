package load

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/schema"
)

// notes is a Memory that counts the profiles that come out of it.
type notes struct {
	kept map[string][]byte
	hits int
}

func (n *notes) Get(key string) []byte {
	if isProfile(n.kept[key]) {
		n.hits++
	}
	return n.kept[key]
}

// profiles is how many of what is kept are profiles; the others are modules.
func (n *notes) profiles() (count int) {
	for _, data := range n.kept {
		if isProfile(data) {
			count++
		}
	}
	return count
}

func isProfile(data []byte) bool { return bytes.HasPrefix(data, []byte(`{"facts":`)) }

func (n *notes) Put(key string, data []byte) { n.kept[key] = data }

// rememberedProject is a project in which a profile is made of whatever it can be.
func rememberedProject(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"cue.mod/module.cue":  "module: \"example.org/p@v0\"\nlanguage: version: \"v0.17.0\"\n",
		"base.cue":            "package web\nhostname: \"base\"\n",
		"lib/lib.cue":         "package lib\nRun: argv: [\"/bin/lib\"]\n",
		"site/env.json":       `{"A": "1"}`,
		"site/other/deep.txt": "x",
	} {
		writeIn(t, dir, name, text)
	}
	writeIn(t, dir, "site/web.cue", "@extern(embed)\npackage web\nimport (\n\t\"github.com/sbx-dev/sbx/schema\"\n\t\"example.org/p/lib\"\n)\nschema.#Profile\nbackend: \"lxc\"\nname: *\"web\" | string @tag(name)\nexpose: [\"/usr\"]\nrun: lib.Run\nrun: env: _ @embed(file=env.json)\n")
	return dir
}

func writeIn(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A profile that is remembered is the one that it would be if it were read anew,
// whatever of it has changed since.
func TestRememberedIsAsReadAnew(t *testing.T) {
	for what, change := range map[string]struct {
		make func(dir string, c *Config)
		hit  bool
	}{
		"nothing":                   {func(string, *Config) {}, true},
		"a file beside the project": {func(dir string, _ *Config) { writeIn(t, filepath.Dir(dir), "beside.cue", "x: 1") }, true},
		"its file":                  {func(dir string, _ *Config) { appendTo(t, dir, "site/web.cue", "hostname: \"base\"\n") }, false},
		"a comment, which moves it": {func(dir string, _ *Config) { prependTo(t, dir, "site/web.cue", "// x\n") }, false},
		"a file above":              {func(dir string, _ *Config) { writeIn(t, dir, "base.cue", "package web\nhostname: \"other\"\n") }, false},
		"a file above that is gone": {func(dir string, _ *Config) { os.Remove(filepath.Join(dir, "base.cue")) }, false},
		"a new file beside":         {func(dir string, _ *Config) { writeIn(t, dir, "site/more.cue", "package web\nrun: user: \"nobody\"\n") }, false},
		"a new file above":          {func(dir string, _ *Config) { writeIn(t, dir, "more.cue", "package web\nrun: user: \"nobody\"\n") }, false},
		"what it imports": {func(dir string, _ *Config) {
			writeIn(t, dir, "lib/lib.cue", "package lib\nRun: argv: [\"/bin/new\"]\n")
		}, false},
		"a new file of the import": {func(dir string, _ *Config) { writeIn(t, dir, "lib/more.cue", "package lib\nRun: user: \"nobody\"\n") }, false},
		"what it embeds":           {func(dir string, _ *Config) { writeIn(t, dir, "site/env.json", `{"A": "2"}`) }, false},
		"a tag":                    {func(_ string, c *Config) { c.Tags = []string{"name=other"} }, false},
		"files of tests":           {func(_ string, c *Config) { c.Tests = true }, false},
		"a mistake":                {func(dir string, _ *Config) { appendTo(t, dir, "site/web.cue", "nmae: 1\n") }, false},
		"a file that is left out":  {func(dir string, c *Config) { c.Without = filepath.Join(dir, "base.cue") }, false},
		"the module": {func(dir string, _ *Config) {
			writeIn(t, dir, "cue.mod/module.cue", "module: \"example.org/q@v0\"\nlanguage: version: \"v0.17.0\"\n")
		}, false},
		"a module that is nearer": {func(dir string, _ *Config) {
			writeIn(t, dir, "site/cue.mod/module.cue", "module: \"example.org/q@v0\"\nlanguage: version: \"v0.17.0\"\n")
		}, false},
		"a link in place of its file": {func(dir string, _ *Config) { relink(t, dir) }, false},
		"a FIFO in place of a file above": {func(dir string, _ *Config) {
			path := filepath.Join(dir, "base.cue")
			if err := errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)); err != nil {
				t.Fatal(err)
			}
		}, false},
		"a folder in place of what it embeds": {func(dir string, _ *Config) {
			path := filepath.Join(dir, "site/env.json")
			if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
				t.Fatal(err)
			}
		}, false},
		"a module that is wrong": {func(dir string, _ *Config) { writeIn(t, dir, "cue.mod/module.cue", "module: 7\n") }, false},
	} {
		t.Run(what, func(t *testing.T) {
			dir := rememberedProject(t)
			memory := &notes{kept: map[string][]byte{}}
			first := &Config{Dir: dir, Memory: memory}
			if _, err := first.Load("site/web.cue"); err != nil || memory.profiles() != 1 {
				t.Fatalf("%v, %d are kept", err, memory.profiles())
			}
			again := &Config{Dir: dir, Memory: memory}
			change.make(dir, again)
			got, gotErr := again.Load("site/web.cue")
			anew := *again
			anew.Memory = nil
			want, wantErr := anew.Load("site/web.cue")
			if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotErr, wantErr) {
				t.Errorf("got %+v (%v),\nread anew it is %+v (%v)", first1(got), gotErr, first1(want), wantErr)
			}
			targets, err := again.targets([]string{"site/web.cue"})
			if err == nil && wantErr == nil && again.remembered(targets[0]) == nil {
				t.Error("what has just been read is not remembered")
			}
			if change.hit && memory.hits == 0 {
				t.Error("it was not remembered")
			}
		})
	}
}

func first1(list []*schema.Profile) any {
	if len(list) == 0 {
		return nil
	}
	return *list[0]
}

func appendTo(t *testing.T, dir, name, text string)  { edit(t, dir, name, "", text) }
func prependTo(t *testing.T, dir, name, text string) { edit(t, dir, name, text, "") }

func edit(t *testing.T, dir, name, before, after string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	writeIn(t, dir, name, before+string(text)+after)
}

// relink has the profile's file be a link to another one of the same content.
func relink(t *testing.T, dir string) {
	t.Helper()
	edit(t, dir, "site/web.cue", "", "hostname: \"base\"\n")
	path := filepath.Join(dir, "site/web.cue")
	if err := os.Rename(path, filepath.Join(dir, "site/real.cue")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real.cue", path); err != nil {
		t.Fatal(err)
	}
}

// What a module file comes to is remembered as it is worked out anew, and is not where the
// file is wrong.
func TestAModuleIsRememberedAsReadAnew(t *testing.T) {
	memory := &notes{kept: map[string][]byte{}}
	right := 0
	for _, text := range []string{
		"module: \"example.org/p@v0\"\nlanguage: version: \"v0.17.0\"\n",
		"module: \"example.org/p@v0\"\nlanguage: version: \"v0.99.0\"\n",
		"module: \"" + schema.ModulePath + "\"\nlanguage: version: \"v0.17.0\"\n",
		"",
	} {
		module := []byte(text)
		want, wantErr := newFrame(module)
		for range 2 {
			got, err := rememberedFrame(memory, module)
			if !reflect.DeepEqual(got, want) || (err == nil) != (wantErr == nil) {
				t.Errorf("%q: %+v (%v), want %+v (%v)", text, got, err, want, wantErr)
			}
		}
		if wantErr == nil {
			right++
		}
		if len(memory.kept) != right {
			t.Errorf("%q: %d are kept", text, len(memory.kept))
		}
	}
	none, err := rememberedFrame(memory, nil)
	if want, _ := newFrame(nil); err != nil || right < 2 || !reflect.DeepEqual(none, want) {
		t.Errorf("no file: %+v (%v)", none, err)
	}
	before := len(memory.kept)
	if _, err := rememberedFrame(memory, []byte("module: 7\n")); err == nil || len(memory.kept) != before {
		t.Errorf("one that is wrong: %v, %d are kept", err, len(memory.kept))
	}
}

// What is remembered is checked as if CUE had just given it, and what cannot be read is
// nothing.
func TestWhatIsRememberedIsCheckedAgain(t *testing.T) {
	dir := rememberedProject(t)
	memory := &notes{kept: map[string][]byte{}}
	c := &Config{Dir: dir, Memory: memory}
	want, err := c.Load("site/web.cue")
	if err != nil {
		t.Fatal(err)
	}
	for key, data := range memory.kept {
		for what, bad := range map[string]string{
			"no JSON":            "{",
			"no profile":         `{"profile": 7}`,
			"empty":              "",
			"what Check refuses": strings.Replace(string(data), `["/usr"]`, `["/usr","/usr"]`, 1),
		} {
			memory.kept[key] = []byte(bad)
			got, err := c.Load("site/web.cue")
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v (%v)", what, first1(got), err)
			}
		}
	}
}

// Nothing is kept of a profile that is wrong, or that a policy is for.
func TestWhatIsNotRemembered(t *testing.T) {
	dir := rememberedProject(t)
	memory := &notes{kept: map[string][]byte{}}
	writeIn(t, dir, "policy/p.cue", "package policy\nname: string\n")
	if _, err := (&Config{Dir: dir, Memory: memory, Policy: filepath.Join(dir, "policy")}).Load("site/web.cue"); err != nil || len(memory.kept) != 0 {
		t.Fatalf("%v, %d are kept under a policy", err, len(memory.kept))
	}
	appendTo(t, dir, "site/web.cue", "nmae: 1\n")
	if _, err := (&Config{Dir: dir, Memory: memory}).Load("site/web.cue"); err == nil {
		t.Fatal("a mistake is none")
	}
	if memory.profiles() != 0 {
		t.Errorf("%d are kept", memory.profiles())
	}
}

// A program without a digest of its own believes nothing that another process has kept,
// not even one that had its process id.
func TestProgramWithoutDigest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte("no ELF"), 0o600); err != nil {
		t.Fatal(err)
	}
	if one, other := programIn(file), programIn(file); one == other {
		t.Errorf("two processes are both %q", one)
	}
	if self := programIn("/proc/self/exe"); self != programIn("/proc/self/exe") {
		t.Errorf("this program is %q, and then another", self)
	}
}
