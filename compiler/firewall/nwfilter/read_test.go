package nwfilter

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/internal/testhost"
)

const shipped = "/usr/share/libvirt/nwfilter"

func readShipped(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(shipped, name+".xml"))
}

var shippedVariables = map[string][]string{
	"MAC": {labNIC.MAC.String()}, "IP": {"10.0.0.80"}, "IPV6": {"fd00::80"},
	"DHCPSERVER": {"10.0.0.1"}, "GATEWAY_MAC": {"02:00:00:00:00:fe"},
}

// Every filter that libvirt ships is either modelled, or refused by name.
func TestShippedFiltersAreRead(t *testing.T) {
	names, err := filepath.Glob(shipped + "/*.xml")
	if err != nil || len(names) == 0 {
		t.Skip("libvirt's filters are not installed")
	}
	for _, file := range names {
		name := strings.TrimSuffix(filepath.Base(file), ".xml")
		variables := shippedVariables
		if strings.HasPrefix(name, "allow-dhcpv6") {
			variables = map[string][]string{"DHCPSERVER": {"fd00::1"}}
		}
		if _, err := Read(name, readShipped, variables); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCleanTraffic(t *testing.T) {
	f, err := Read("clean-traffic", readShipped, shippedVariables)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("libvirt's filters are not installed")
	}
	if err != nil {
		t.Fatal(err)
	}
	guest, err := firewall.Resolve(labNIC, firewall.Rules{})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"out tcp -> 203.0.113.5:80":                       true,
		"out tcp 10.0.0.81 -> 203.0.113.5:80":             false,
		"out udp 0.0.0.0:68 -> 255.255.255.255:67":        true,
		"out tcp -> 203.0.113.5:80 mac 02:00:00:00:00:99": false,
		"in tcp 203.0.113.5 -> :22":                       true, // it filters what the guest sends, not what it is sent
		"in tcp [fd00::5]:1 -> [fd00::80]:22":             false,
	} {
		p, err := guest.ParsePacket(text)
		if err != nil {
			t.Fatal(err)
		}
		if v := f.Eval(p, true); v.Accept != want {
			t.Errorf("%s: accept %t, want %t (%+v)", text, v.Accept, want, v)
		}
	}
}

// The reader's idea of a foreign filter, chains and returns and all, is checked
// against the kernel too.
func TestForeignFiltersAgreeWithTheKernel(t *testing.T) {
	testhost.Need(t)
	r := rand.New(rand.NewPCG(41, 42))
	d := &differ{lab: newLab(t, startContainer), random: r, seen: map[string]int{}}
	for _, name := range []string{"clean-traffic", "no-ip-spoofing", "foreign"} {
		var err error
		text := wrapped(t, name)
		if name == "foreign" {
			text = foreign
		}
		lookup := func(n string) ([]byte, error) {
			if n == labNIC.Filter {
				return []byte(text), nil
			}
			return readShipped(n)
		}
		if d.model, err = Read(labNIC.Filter, lookup, shippedVariables); err != nil {
			t.Fatal(err)
		}
		virsh(t, "nwfilter-define", writeFile(t, text))
		if d.compiled, err = Compile(labNIC, randomFor(t, r, labNIC)); err != nil { // the probes are drawn near its rules
			t.Fatal(err)
		}
		for _, nfCall := range []bool{true, false} {
			setNFCall(t, nfCall)
			d.nfCall = nfCall
			d.run(t, 150)
		}
		if t.Failed() {
			t.Fatalf("%s:\n%s", name, text)
		}
	}
	t.Logf("%d probes: %v", d.sent, d.seen)
}

// wrapped is the lab's filter as a mere reference to another.
func wrapped(t *testing.T, name string) string {
	t.Helper()
	f := &libvirtxml.NWFilter{Name: labNIC.Filter, UUID: labNIC.UUID, Entries: []libvirtxml.NWFilterEntry{{Ref: &libvirtxml.NWFilterRef{
		Filter: name, Parameters: []libvirtxml.NWFilterParameter{{Name: "IP", Value: "10.0.0.80"}}}}}}
	text, err := f.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// foreign uses what sbx itself never writes: rules without states, for both
// directions, with ranges and negation, in both layers.
var foreign = fmt.Sprintf(`<filter name='%s' chain='root'><uuid>%s</uuid>
<rule action='drop' direction='in' priority='-500'><ip match='no' srcipaddr='10.0.0.0' srcipmask='8'/></rule>
<rule action='drop' direction='out' priority='-400'><ipv6 dstipaddr='2001:db8::' dstipmask='32' protocol='tcp'/></rule>
<rule action='accept' direction='inout' priority='-300'><ip protocol='udp' dstportstart='1' dstportend='30000'/></rule>
<rule action='drop' direction='in' priority='-200'><ip protocol='udp'/></rule>
<rule action='drop' direction='in' priority='100'><tcp dstportstart='1000' dstportend='20000'/></rule>
<rule action='return' direction='out' priority='150'><tcp dstportstart='500'/></rule>
<rule action='accept' direction='in' priority='200'><tcp srcipfrom='10.0.0.1' srcipto='10.0.0.60'/></rule>
<rule action='accept' direction='in' priority='250' statematch='false'><sctp dstportstart='1' dstportend='40000'/></rule>
<rule action='accept' direction='in' priority='300'><icmp type='8'/></rule>
<rule action='accept' direction='out' priority='310'><icmp type='0' state='ESTABLISHED'/></rule>
<rule action='accept' direction='inout' priority='400'><udp-ipv6 dstportstart='1' dstportend='40000'/></rule>
<rule action='reject' direction='in' priority='450'><sctp-ipv6/></rule>
<rule action='drop' direction='inout' priority='500'><all/></rule>
</filter>`, labNIC.Filter, labNIC.UUID)

// What libvirt would take for something else than it says is refused.
func TestUnsupportedFiltersAreRefusedByName(t *testing.T) {
	for rule, want := range map[string]string{
		"<rule action='accept' direction='in'><tcp dstport='22'/></rule>":                                     "dstport is not modelled",
		"<rule action='accept' direction='in'><tcp dstportend='80'/></rule>":                                  "dstportend without dstportstart",
		"<rule action='accept' direction='in'><icmp code='3'/></rule>":                                        "code without type",
		"<rule action='accept' direction='in'><tcp srcipmask='8'/></rule>":                                    "srcipmask without srcipaddr",
		"<rule action='accept' direction='in'><tpc/></rule>":                                                  "<tpc> is not modelled",
		"<rule action='accept' direction='inout'><icmp type='8'/></rule>":                                     "installs nothing",
		"<rule action='accept' direction='in'><tcp match='no' srcipaddr='10.0.0.1' dstportstart='1'/></rule>": "match='no'",
		"<rule action='accept' direction='in'><tcp srcipaddr='$A' dstportstart='$B'/></rule>":                 "both lists",
		"<rule action='accept' direction='in'><tcp srcipaddr='$C'/></rule>":                                   "$C has no value",
		"<rule action='continue' direction='in'><tcp/></rule>":                                                "action \"continue\"",
		"<rule action='accept' direction='in'><tcp flags='SYN/ALL'/></rule>":                                  "flags is not modelled",
		"<rule action='accept' direction='in'><ip srcipaddr='10.0.0.0' srcipmask='255.0.255.0'/></rule>":      "has gaps",
		"<rule action='accept' direction='in'><ip dstportstart='80'/></rule>":                                 "ports need the protocol",
		"<rule action='accept' direction='in'><stp/></rule>":                                                  "<stp> is not modelled",
		"<rule action='accept' direction='in' priority='5000'/>":                                              "priority",
		"<rule action='accept' direction='in'><tcp state='NONE'/></rule>":                                     "state \"NONE\"",
		"<rule action='accept' direction='in'><tcp/><udp/></rule>":                                            "more than one protocol",
		"<filterref filter='x'/>": "in a circle",
		"<rule action='accept' direction='in'><ip match='yes' protocol='tcp' srcportstart='9' srcportend='5'/></rule>": "lies below",
	} {
		text := "<filter name='x'>" + rule + "</filter>"
		_, err := Read("x", func(string) ([]byte, error) { return []byte(text), nil }, map[string][]string{"A": {"10.0.0.1", "10.0.0.2"}, "B": {"1", "2"}})
		var unsupported *UnsupportedError
		if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an UnsupportedError with %q", rule, err, want)
		}
	}
}

// Hostile XML must end in an error, never in a panic or a hang.
func FuzzRead(f *testing.F) {
	f.Add([]byte(foreign))
	for _, s := range samples() {
		if c, err := Compile(s.nic, s.rules); err == nil {
			f.Add(c.XML)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		filter, err := Read("x", func(string) ([]byte, error) { return data, nil }, shippedVariables)
		if err == nil {
			filter.Eval(space.Packet{EtherType: space.EtherARP, Src: space.EveryV4.From, Dst: space.EveryV4.From}, true)
		}
	})
}
