package selinux

import (
	"os"
	"path/filepath"
	"testing"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/selinux"
	"github.com/sbx-dev/sbx/internal/mac"
	"github.com/sbx-dev/sbx/internal/stage"
)

// What a sandbox of a policy of its own writes is its own content, of its categories.
func TestAPolicyOfItsOwn(t *testing.T) {
	d := &libvirtxml.Domain{SecLabel: []libvirtxml.DomainSecLabel{
		{Type: "static", Model: model, Label: "system_u:system_r:sbx_web.process:s0:c1,c2"},
	}}
	if !IsOwn(d, "web") || IsOwn(d, "we") || IsOwn(&libvirtxml.Domain{}, "web") {
		t.Error("whose policy it is")
	}
	want := stage.Contexts{Own: "system_u:object_r:virt_content_t:s0", Written: "system_u:object_r:sbx_web.content:s0:c1,c2"}
	if got := Contexts(d); got != want {
		t.Errorf("%+v", got)
	}
}

// The module is read as libsemanage keeps it, packed or not.
func TestAModuleIsReadAsTheHostHasIt(t *testing.T) {
	root := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	host := mac.Host(root)
	put("etc/selinux/config", "SELINUXTYPE=default\n")
	if got, err := Module(host, "web"); got != nil || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	const cil = "var/lib/selinux/default/active/modules/400/sbx_web/cil"
	put(cil, "(block sbx_web)\n")
	if got, err := Module(host, "web"); string(got) != "(block sbx_web)\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	packed, err := os.ReadFile("testdata/cil")
	if err != nil {
		t.Fatal(err)
	}
	put(cil, string(packed))
	if got, err := Module(host, "web"); string(got) != "(block sbx_web)\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	put(cil, string(packed[:len(packed)/2]))
	if _, err := Module(host, "web"); err == nil {
		t.Error("half of one is taken")
	}
}

// A module that somebody else has given a sandbox's name is neither replaced nor removed.
func TestWhoseModuleItIs(t *testing.T) {
	if !isOf("web", selinux.New("web", selinux.Container).Encode()) {
		t.Error("its own is taken for somebody else's")
	}
	for _, other := range []string{"", "(typeattributeset cil_gen_require domain)\n", string(selinux.New("web-2", selinux.Machine).Encode())} {
		if isOf("web", []byte(other)) {
			t.Errorf("%.60q is taken for its own", other)
		}
	}
}

// A path that is not there has no types, and a link leads nowhere.
func TestTypesOfWhatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	if got, err := typesBelow([]string{filepath.Join(dir, "absent"), filepath.Join(loop, "x")}); len(got) != 0 || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := typesBelow([]string{dir}); err != nil {
		t.Error(err)
	}
}
