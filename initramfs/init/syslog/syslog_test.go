package syslog

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"testing"
)

// Messages come with their priority in words, and all of them before Drain is done.
func TestMessages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	m, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	m.Serve(func(line []byte) { got = append(got, string(line)) })
	c, err := net.Dial("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := []string{}
	for sent, is := range map[string]string{
		"<27>Nov 26 05:24:11 sshd[12]: no host keys\x00": "daemon.err sshd[12]: no host keys\n",
		"<191>x: a\nb\n": "local7.debug x: a b\n",
		"<192>x":         "user.notice <192>x\n",
		"<>x":            "user.notice <>x\n",
		"plain":          "user.notice plain\n",
		"<0>":            "kern.emerg \n",
	} {
		if _, err := fmt.Fprint(c, sent); err != nil {
			t.Fatal(err)
		}
		want = append(want, is)
	}
	m.Drain()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// FuzzLine reads any message at all.
func FuzzLine(f *testing.F) {
	f.Add([]byte("<27>Nov 26 05:24:11 sshd[12]: no host keys\x00"))
	f.Add([]byte("<255>"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if text := line(message); len(text) == 0 || text[len(text)-1] != '\n' || slices.Index(text, '\n') != len(text)-1 {
			t.Errorf("%q is %q", message, text)
		}
	})
}
