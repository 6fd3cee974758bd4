package runtime_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/plan"
)

const tamperedProfile = `package tampered

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "tampered"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "1000"]
	mounts: "/etc/motd": file: "welcome"
	expose: ["/usr", "/srv/tampered/file", "/srv/tampered/folder", "/srv/tampered/link", "/srv/tampered/conf"]
	mounts: "/srv/tampered/conf/mine": file: "mine"
	network: {
		attach: "tampered"
		create: {mode: "isolated", address: ["10.89.0.1/24", "fd89::1/64"]}
		address: ["10.89.0.2/24", "fd89::2/64"]
		allow: [{in: tcp: [80]}]
	}
	resources: {memory: "64MiB", cpus: 1}
}
`

// tamperedBundle compiles the profile under another name, after making what it
// exposes.
func tamperedBundle(t *testing.T, name string) *compiler.Bundle {
	t.Helper()
	dir := "/srv/" + name
	command(t, "sh", "-c", "mkdir -p "+dir+"/folder "+dir+"/conf && cd "+dir+" && echo a | tee file conf/there && ln -sfn folder link")
	return compileText(t, strings.ReplaceAll(tamperedProfile, "tampered", name))
}

// tampering is what a person may do behind sbx's back; DEVICE stands for the
// host's end of the sandbox's interface.
var tampering = []struct {
	what   string
	script string
	object string // that Drift names
	field  string // that Drift names where it has the bundle
}{
	{"a domain with one more file system", `virsh dumpxml --inactive tampered | sed "s,</devices>,<filesystem type='mount'><source dir='/'/><target dir='/host'/></filesystem></devices>," > d.xml; virsh define d.xml`,
		"domain", "devices filesystem[/host]"},
	{"a running domain's share of processors", `virsh schedinfo tampered --live --set vcpu_quota=30000`, "running domain", "cputune quota"},
	{"a running domain's memory", `virsh memtune tampered --live --hard-limit 32768`, "running domain", "memory"},
	{"a filter with one more rule", `virsh nwfilter-dumpxml sbx-tampered | sed "s,</filter>,<rule action='accept' direction='in' priority='1'><all/></rule></filter>," > f.xml; virsh nwfilter-define f.xml`,
		"filter sbx-tampered", "rule"},
	{"iptables rules of the interface", `iptables -F FO-DEVICE`, "rules of DEVICE", ""},
	{"one ip6tables rule in front", `ip6tables -I FO-DEVICE -j ACCEPT`, "rules of DEVICE", ""},
	{"all ebtables rules", `ebtables -t nat -F`, "rules of DEVICE", ""},
	{"the way to the rules", `iptables -D FORWARD -j libvirt-in`, "rules of DEVICE", ""},
	{"the interface's filter binding", `virsh nwfilter-binding-delete DEVICE`, "interface DEVICE", "filter"},
	{"the interface's bridge", `ip link set DEVICE nomaster`, "interface DEVICE", "bridge"},
	{"the name server's records", `virsh net-update tampered delete dns-host "<host ip='10.89.0.2'/>" --live --config`, "names on tampered", ""},
	{"the network's definition", `virsh net-dumpxml --inactive tampered | sed "s/10.89.0.1/10.89.0.3/" > n.xml; virsh net-define n.xml`, "network tampered", "ip"},
	{"the network's state", `virsh net-destroy tampered`, "running network tampered", "state"},
	{"a file that the profile gives", `echo evil > /var/lib/sbx/tampered/files/*`, "files", ""},
	{"the manifest", `sed -i s/1000/9999/ /var/lib/sbx/tampered/sbx/manifest.json`, "files", "run argv"},
	{"the root folder", `touch /var/lib/sbx/tampered/root/more`, "files", ""},
	{"a file by another of the same name", `sed -i s/a/b/ /srv/tampered/file`, "host path /srv/tampered/file", ""},
	{"a folder by another of the same name", `cd /srv/tampered; mv folder gone; mkdir folder`, "host path /srv/tampered/folder", ""},
	{"a folder, by a mount over it", `mount -t tmpfs none /srv/tampered/folder`, "host path /srv/tampered/folder", ""},
	{"a folder, by taking the mount away", `umount /srv/tampered/folder`, "host path /srv/tampered/folder", ""},
	{"where a link leads", `ln -sfn gone /srv/tampered/link`, "host path /srv/tampered/link", ""},
	{"a file in a folder that has one more inside", `sed -i s/a/b/ /srv/tampered/conf/there`, "entries of host path /srv/tampered/conf", ""},
	{"the sandbox's state", `virsh destroy tampered`, "state", ""},
	{"the domain itself", `virsh destroy tampered; virsh undefine tampered`, "state", ""},
}

// Each kind of tampering is found, with the profile at hand and without, and put
// right, and is then found no more.
func TestTampering(t *testing.T) {
	testhost.Need(t)
	r, b := newRuntime(t), tamperedBundle(t, "tampered")
	up(t, r, b)
	for _, c := range tampering {
		t.Run(c.what, func(t *testing.T) {
			device := strings.Fields(virsh(t, "domiflist", "tampered"))[0]
			tamper(t, strings.ReplaceAll(c.script, "DEVICE", device))
			object := strings.ReplaceAll(c.object, "DEVICE", device)
			checkDrift(t, r, nil, object, "")
			checkDrift(t, r, []*compiler.Bundle{b}, object, c.field)
			if p := planFor(t, r, b); len(p.Changes) == 0 {
				t.Error("a plan has nothing to do")
			}
			if _, err := r.Up(t.Context(), b); err != nil {
				t.Fatalf("up: %v", err)
			}
			if found, err := r.Drift(nil); len(found) != 0 || err != nil {
				t.Errorf("after up there is still %v (%v)", found, err)
			}
			if p := planFor(t, r, b); len(p.Changes) != 0 {
				t.Errorf("after up a plan still has %v", p.Changes)
			}
		})
	}
}

// tamper runs a script in a folder of its own.
func tamper(t *testing.T, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-euc", script)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "LIBVIRT_DEFAULT_URI=lxc:///system")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

func checkDrift(t *testing.T, r *runtime.Runtime, bundles []*compiler.Bundle, object, field string) {
	t.Helper()
	found, err := r.Drift(bundles)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range found {
		named := c.Object == object || c.Object == strings.TrimPrefix(object, "running ") || object == "files" && c.Object == "manifest"
		if named && strings.HasPrefix(c.Field, field) {
			if c.Since == "" {
				t.Error("drift does not say since when")
			}
			return
		}
	}
	t.Errorf("drift does not name %q of the %s, but %v", field, object, found)
}

func planFor(t *testing.T, r *runtime.Runtime, b *compiler.Bundle) *plan.Plan {
	t.Helper()
	p, err := r.Plan([]*compiler.Bundle{b}, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Down removes what is left of a sandbox whose domain somebody has removed.
func TestDownOfALostSandbox(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	before := defined(t)
	up(t, r, tamperedBundle(t, "lost"))
	tamper(t, "virsh destroy lost; virsh undefine lost")
	if found, err := r.Down(t.Context(), "lost"); !found || err != nil {
		t.Errorf("found %t, error %v", found, err)
	}
	if after := defined(t); after != before {
		t.Errorf("something is left:\n%s\nbefore:\n%s", after, before)
	}
}

// It does so where its filter went with the domain and the inner wall did not, and where
// it could not the first time.
func TestDownOfALostSandboxAgain(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	up(t, r, tamperedBundle(t, "relost"))
	tamper(t, "virsh destroy relost; virsh undefine relost")
	// Somebody else holds its filter, for longer than down waits.
	binding := filepath.Join(t.TempDir(), "binding.xml")
	if err := os.WriteFile(binding, []byte(`<filterbinding>
	<owner><name>other</name><uuid>0a4bb2a9-7f1c-4a0c-9a3c-3f6f4fd5a7a1</uuid></owner>
	<portdev name='sbxother'/><mac address='52:54:00:00:00:01'/>
	<filterref filter='sbx-relost'/>
</filterbinding>`), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, "ip", "link", "add", "sbxother", "type", "veth")
	t.Cleanup(func() { command(t, "ip", "link", "delete", "sbxother") })
	virsh(t, "nwfilter-binding-create", binding)
	if found, err := r.Down(t.Context(), "relost"); !found || err == nil {
		t.Errorf("its filter is held: found %t, error %v", found, err)
	}
	virsh(t, "nwfilter-binding-delete", "sbxother")
	tamper(t, "virsh nwfilter-undefine sbx-relost; nft add table bridge sbx-relost")
	if found, err := r.Down(t.Context(), "relost"); !found || err != nil {
		t.Errorf("found %t, error %v", found, err)
	}
	if out, err := exec.Command("nft", "list", "tables").CombinedOutput(); err != nil || strings.Contains(string(out), "relost") {
		t.Errorf("left is %s: %v", out, err)
	}
}

// A filter and a network that the profile no longer has are removed.
func TestUpRemovesWhatTheProfileNoLongerHas(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	up(t, r, tamperedBundle(t, "shrinking"))
	without := strings.ReplaceAll(tamperedProfile, "tampered", "shrinking")
	start, end := strings.Index(without, "\tnetwork: {"), strings.Index(without, "\tresources:")
	if _, err := r.Up(t.Context(), compileText(t, without[:start]+without[end:])); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"nwfilter-list", "net-list --all"} {
		if out := virsh(t, strings.Fields(list)...); strings.Contains(out, "shrinking") {
			t.Errorf("something is left:\n%s", out)
		}
	}
	if left, _ := filepath.Glob("/etc/libvirt/nwfilter/sbx-shrinking*"); left != nil {
		t.Error(left)
	}
}
