package mac_test

import (
	"os"
	"path/filepath"
	"testing"
)

// Sockets of somebody at a terminal, who has all categories, are made with none; of a
// unit, which has none, and where there is no SELinux, nothing is asked of the kernel.
func TestSocketsHaveNoCategories(t *testing.T) {
	const enforce, current, sockcreate = "sys/fs/selinux/enforce", "proc/thread-self/attr/current", "proc/thread-self/attr/sockcreate"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"terminal":     {map[string]string{enforce: "1", current: "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023\x00", sockcreate: ""}, "unconfined_u:unconfined_r:unconfined_t:s0"},
		"unit":         {map[string]string{enforce: "1", current: "system_u:system_r:initrc_t:s0\x00", sockcreate: ""}, ""},
		"no SELinux":   {map[string]string{current: "libvirtd (enforce)\n", sockcreate: ""}, ""},
		"only a sense": {map[string]string{enforce: "0", current: "staff_u:staff_r:staff_t:s0-s0:c5", sockcreate: ""}, "staff_u:staff_r:staff_t:s0"},
	} {
		h := hostWith(t, c.files)
		var during string
		err := h.PlainSockets(func() error {
			text, err := os.ReadFile(filepath.Join(string(h), sockcreate))
			during = string(text)
			return err
		})
		if err != nil || during != c.want {
			t.Errorf("%s: %q, %v", name, during, err)
		}
	}
}

// A pipe can be handed to a sandbox by who has no categories, and where nobody looks at
// them.
func TestWhoMakesPlainPipes(t *testing.T) {
	const enforce, current = "sys/fs/selinux/enforce", "proc/thread-self/attr/current"
	for name, c := range map[string]struct {
		files map[string]string
		want  bool
	}{
		"terminal":   {map[string]string{enforce: "1", current: "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023\x00"}, false},
		"one level":  {map[string]string{enforce: "1", current: "staff_u:staff_r:staff_t:s0:c5\x00"}, false},
		"unit":       {map[string]string{enforce: "1", current: "system_u:system_r:initrc_t:s0\x00"}, true},
		"no levels":  {map[string]string{enforce: "1", current: "unconfined_u:unconfined_r:unconfined_t\x00"}, true},
		"not said":   {map[string]string{enforce: "1"}, false},
		"no SELinux": {map[string]string{current: "a-profile:of//AppArmor (enforce)\n"}, true},
	} {
		if got := hostWith(t, c.files).PlainPipes(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWhetherSELinuxEnforces(t *testing.T) {
	const enforce = "sys/fs/selinux/enforce"
	for text, want := range map[string]bool{"1": true, "0": false} {
		if h := hostWith(t, map[string]string{enforce: text}); !h.HasSELinux() || h.SELinuxEnforces() != want {
			t.Errorf("%q is not told", text)
		}
	}
	if h := hostWith(t, nil); h.HasSELinux() || h.SELinuxEnforces() || h.KnowsContext("system_u:system_r:svirt_t:s0") {
		t.Error("a host without SELinux has it")
	}
}
