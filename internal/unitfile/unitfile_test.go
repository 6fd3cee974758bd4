package unitfile

import (
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                         nil,
		" a  b\tc ":                {"a", "b", "c"},
		`"a b" 'c "d'`:             {"a b", `c "d`},
		`a"b c"d`:                  {"ab cd"},
		`\x41\102\u0043 \s \n`:     {"ABC", " ", "\n"},
		`\q \xZZ \`:                {`\q`, `\xZZ`, `\`},
		`-g 'daemon on; master;'`:  {"-g", "daemon on; master;"},
		`\U0010FFFF \UFFFFFFFF \0`: {"\U0010FFFF", "\uFFFD", `\0`},
	} {
		got, err := Words(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`"a`, `a 'b`, strings.Repeat("a ", maxWords+1)} {
		if got, err := Words(text); err == nil {
			t.Errorf("%.20s: %d words, and no error", text, len(got))
		}
	}
}

func TestCommands(t *testing.T) {
	env := map[string]string{"OPTS": `-a "b c"`, "ONE": "x y", "EMPTY": ""}
	for line, want := range map[string][]Command{
		"/bin/a $OPTS $EMPTY ${ONE} $ONE": {{Argv: []string{"/bin/a", "-a", "b c", "x y", "x", "y"}}},
		"-/bin/a --x=${ONE}":              {{Argv: []string{"/bin/a", "--x=x y"}, Optional: true}},
		"@/bin/sh login -c x":             {{Argv: []string{"/bin/sh", "-c", "x"}, Name: "login"}},
		"!!/bin/a":                        {{Argv: []string{"/bin/a"}, Whole: true}},
		`/bin/a ; +/bin/b \;`:             {{Argv: []string{"/bin/a"}}, {Argv: []string{"/bin/b", ";"}, Whole: true}},
		"/bin/a $$HOME $9 ${no":           {{Argv: []string{"/bin/a", "$HOME", "$9", "${no"}}},
	} {
		got, err := Commands(line, env)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", line, got, err, want)
		}
	}
	if _, err := Commands(" ; ", nil); err == nil {
		t.Error("a line without a program is a command")
	}
}

// TestRead holds the order in which systemd reads a unit's files, and what an empty
// setting takes back.
func TestRead(t *testing.T) {
	host := fstest.MapFS{
		"usr/lib/systemd/system/a-b.service":           file("A=usr\nB=usr\nList=1\nList=2"),
		"etc/systemd/system/a-b.service.d/20.conf":     file("B=20\nList=\nList=3"),
		"usr/lib/systemd/system/a-b.service.d/30.conf": file("B=30\nList=4"),
		"etc/systemd/system/a-.service.d/10.conf":      file("B=10\nC=prefix"),
		"usr/lib/systemd/system/service.d/30.conf":     file("B=all"),
		"usr/lib/systemd/system/a-b.service.d/40.conf": {Mode: fs.ModeSymlink, Data: []byte("50.not")},
		"usr/lib/systemd/system/a-b.service.d/50.not":  file("B=link"),
		"etc/systemd/system/alias.service":             {Mode: fs.ModeSymlink, Data: []byte("../../../usr/lib/systemd/system/a-b.service")},
		"usr/local/lib/systemd/system/over.service":    file("A=local"),
		"usr/lib/systemd/system/over.service":          file("A=vendor"),
	}
	for _, name := range []string{"a-b.service", "alias.service"} {
		u, err := Read(host, name)
		if err != nil {
			t.Fatal(err)
		}
		for setting, want := range map[string][]string{"A": {"usr"}, "B": {"usr", "10", "20", "30", "link"}, "C": {"prefix"}, "List": {"3", "4"}} {
			var got []string
			for _, s := range u.All("Service", setting) {
				got = append(got, s.Value)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %s is %q, want %q", name, setting, got, want)
			}
		}
		if u.Name != "a-b.service" {
			t.Errorf("%s is %s", name, u.Name)
		}
	}
	u, err := Read(host, "over.service")
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := u.Last("Service", "A"); a.Value != "local" || a.File != "/usr/local/lib/systemd/system/over.service" {
		t.Errorf("over.service is %+v", a)
	}
}

func file(settings string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("[Service]\n" + settings + "\n"), Mode: 0o644}
}

// FuzzUnit reads units, commands and environments that anybody may have written.
func FuzzUnit(f *testing.F) {
	f.Add([]byte("[Unit]\nDescription=x\n[Service]\nExecStart=-@/bin/a b $C ${D} \\\n# no\n 'e f' \\x41; \\;\nEnvironment=\"A=b c\" D=%i%%\n"))
	f.Add([]byte("[Service]\nA=\\\n\\\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		host := fstest.MapFS{"etc/systemd/system/x@.service": {Data: data, Mode: 0o644}}
		u, err := Read(host, "x@y.service")
		if err != nil {
			return
		}
		for _, name := range u.Names("Service") {
			for _, s := range u.All("Service", name) {
				if commands, err := Commands(s.Value, map[string]string{"C": s.Value}); err == nil && len(commands[0].Argv) == 0 {
					t.Errorf("%q is a command without a program", s.Value)
				}
			}
		}
		if _, _, err := u.Environment(host); err != nil {
			return
		}
	})
}
