package plan

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const desiredDomain = `<domain type="lxc">
  <name>web</name>
  <metadata><sandbox xmlns="https://github.com/sbx-dev/sbx/metadata/1"><profile>x</profile></sandbox></metadata>
  <memory unit="KiB">131072</memory>
  <vcpu>1</vcpu>
  <cputune><quota>50000</quota></cputune>
  <os><type>exe</type><init>/.sbx/init</init></os>
  <features><capabilities policy="deny"><kill state="on"></kill></capabilities></features>
  <devices>
    <filesystem type="mount"><source dir="/usr"></source><target dir="/usr"></target><readonly></readonly></filesystem>
    <interface type="network">
      <source network="web"></source>
      <ip address="fd00:0::2" family="ipv6" prefix="64"></ip>
      <target dev="sbx0"></target>
    </interface>
    <console type="pty"><target type="lxc"></target></console>
  </devices>
</domain>`

// runningDomain is what libvirt 9.0 makes of desiredDomain.
const runningDomain = `<domain type='lxc' id='355'>
  <name>web</name>
  <memory unit='KiB'>131072</memory>
  <currentMemory unit='KiB'>131072</currentMemory>
  <vcpu placement='static'>1</vcpu>
  <cputune>
    <quota>50000</quota>
  </cputune>
  <resource><partition>/machine</partition></resource>
  <os>
    <type arch='x86_64'>exe</type>
    <init>/.sbx/init</init>
  </os>
  <features><capabilities policy='deny'><kill state='on'/></capabilities></features>
  <devices>
    <emulator>/usr/lib/libvirt/libvirt_lxc</emulator>
    <filesystem type='mount'>
      <source dir='/usr'/>
      <target dir='/usr'/>
      <readonly/>
    </filesystem>
    <interface type='network'>
      <source network='web' portid='554370b1-8ea6-4134-a0ce-b2574196a0b1' bridge='br0'/>
      <ip address='fd00::2' family='ipv6' prefix='64'/>
      <target dev='sbx0'/>
    </interface>
    <console type='pty' tty='/dev/pts/0'>
      <source path='/dev/pts/0'/>
      <target type='lxc' port='0'/>
      <alias name='console0'/>
    </console>
  </devices>
</domain>`

func TestRunningDomain(t *testing.T) {
	for _, c := range []struct {
		what, old, new string
		want           []Difference
	}{
		{"nothing", "", "", nil},
		{"a value", "<quota>50000", "<quota>90000", []Difference{{"cputune quota", "90000", "50000"}}},
		{"a lowered limit", "<currentMemory unit='KiB'>131072", "<currentMemory unit='KiB'>1024", []Difference{{"memory", "1024", "131072"}}},
		{"a raised limit", "<resource>", "<memtune><hard_limit unit='KiB'>262144</hard_limit></memtune><resource>", []Difference{{"memory", "262144", "131072"}}},
		{"something opened", "<readonly/>", "", []Difference{{"devices filesystem[/usr] readonly", "", "present"}}},
		{"something added", "<emulator>", "<filesystem type='mount'><source dir='/'/><target dir='/host'/></filesystem><emulator>",
			[]Difference{{"devices filesystem[/host]", "type=mount, source dir=/, target dir=/host", ""}}},
		{"something of a kind that sbx never makes", "<emulator>", "<hostdev mode='capabilities'/><emulator>",
			[]Difference{{"devices hostdev", "mode=capabilities", ""}}},
		{"something taken away", "<kill state='on'/>", "", []Difference{{"features capabilities kill", "", "state=on"}}},
	} {
		t.Run(c.what, func(t *testing.T) {
			live := strings.Replace(runningDomain, c.old, c.new, 1)
			got, err := RunningDomain(desiredDomain, live)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}

const desiredFilter = `<filter name="sbx-web" chain="root">
  <uuid>3065bc4e-183d-5916-bd46-22f3bdec8cda</uuid>
  <rule action="accept" direction="in" priority="100"><tcp dstportstart="80" comment="web.cue:1:1"></tcp></rule>
  <rule action="accept" direction="in" priority="101"><tcp dstportstart="443" comment="web.cue:2:1"></tcp></rule>
  <rule action="drop" direction="inout" priority="998"><all></all></rule>
</filter>`

func TestFilter(t *testing.T) {
	for _, c := range []struct {
		what     string
		replaced []string
		want     []Difference
	}{
		{"comments", []string{"web.cue:1:1", "web.cue:7:1"}, nil},
		{"room between priorities", []string{"101", "300"}, nil},
		{"an opened port", []string{`"443"`, `"444"`}, []Difference{
			{"rule", "accept in tcp dstportstart=444", ""}, {"rule", "", "accept in tcp dstportstart=443"}}},
		{"another order", []string{"998", "50"}, []Difference{
			{"rule", "drop inout all", ""}, {"rule", "", "drop inout all"}}},
		{"an order that is left open", []string{"998", "101"}, []Difference{
			{"rule", "drop inout all, at the priority of the one before", ""}, {"rule", "", "drop inout all"}}},
		{"a reference to another filter", []string{"<rule action=\"drop\"", "<filterref filter=\"allow-ipv4\"/><rule action=\"drop\""}, []Difference{
			{"rule", "filterref filter=allow-ipv4", ""}}},
	} {
		t.Run(c.what, func(t *testing.T) {
			live := strings.NewReplacer(c.replaced...).Replace(desiredFilter)
			got, err := Filter(desiredFilter, live)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
			before, err1 := FilterFingerprint(desiredFilter)
			after, err2 := FilterFingerprint(live)
			if (before == after) != (c.want == nil) || err1 != nil || err2 != nil {
				t.Error("the fingerprint does not say the same", err1, err2)
			}
		})
	}
}

// A limit that was raised while it ran is the same as one that it started with.
func TestRunningFingerprint(t *testing.T) {
	raised := strings.Replace(runningDomain, "<resource>", "<memtune><hard_limit unit='KiB'>262144</hard_limit></memtune><resource>", 1)
	started := strings.ReplaceAll(runningDomain, "131072", "262144")
	a, err1 := RunningFingerprint(raised)
	b, err2 := RunningFingerprint(started)
	c, err3 := RunningFingerprint(runningDomain)
	if a != b || a == c || err1 != nil || err2 != nil || err3 != nil {
		t.Error(a, b, c, err1, err2, err3)
	}
}

// What the drivers fill in is not in the fingerprint, and everything else is.
func TestDomainFingerprint(t *testing.T) {
	before, err := DomainFingerprint(runningDomain)
	if err != nil {
		t.Fatal(err)
	}
	for old, moves := range map[string]bool{"355": false, "/dev/pts/0": false, "<readonly/>": true, "50000": true, "deny": true} {
		after, err := DomainFingerprint(strings.ReplaceAll(runningDomain, old, "1"))
		if (before != after) != moves || err != nil {
			t.Errorf("%s: moves %t, want %t (%v)", old, before != after, moves, err)
		}
	}
}

func TestValues(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		what          string
		desired, live string
		want          []string
	}{
		{"nothing", `{"a": [1, {"b": 2}]}`, `{"a": [1, {"b": 2}]}`, nil},
		{"a value", `{"run": {"user": "root"}}`, `{"run": {"user": "nobody"}}`, []string{`run user is "nobody" instead of "root"`}},
		{"an argument", `{"argv": ["a", "b"]}`, `{"argv": ["a", "c"]}`, []string{`argv has "c"`, `argv lacks "b"`}},
		{"an object of a list", `{"mounts": [{"target": "/a"}, {"target": "/b", "size": 1}]}`, `{"mounts": [{"target": "/b", "size": 2}]}`,
			[]string{`mounts [/a] lacks {"target":"/a"}`, `mounts [/b] size is 2 instead of 1`}},
		{"all of it", `{"a": 1}`, `null`, []string{` lacks {"a":1}`}},
		{"the end of a long value", `["` + long + `a"]`, `["` + long + `b"]`, []string{
			` has "` + long[:199] + `… (303 bytes, sha256:`, ` lacks "` + long[:199] + `… (303 bytes, sha256:`}},
	} {
		t.Run(c.what, func(t *testing.T) {
			var desired, live any
			if err := json.Unmarshal([]byte(c.desired), &desired); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(c.live), &live); err != nil {
				t.Fatal(err)
			}
			got := Values(desired, live)
			if len(got) != len(c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
			for i, d := range got {
				line := d.Field + " " + Change{Live: d.Live, Desired: d.Desired}.Values()
				if !strings.HasPrefix(line, c.want[i]) {
					t.Errorf("got %s, want %s", line, c.want[i])
				}
			}
		})
	}
}
