package sequence

import (
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/order"
)

// at is what is noted of a sandbox with an address on the network n.
func at(ip string) *compiler.Metadata {
	return &compiler.Metadata{Address: []compiler.AddressMetadata{{Network: "n", IP: ip}}}
}

func after(m *compiler.Metadata, names ...string) *compiler.Metadata {
	m.After = names
	return m
}

func publishes(listen string) *compiler.Metadata {
	m := &compiler.Metadata{}
	m.Publish = append(m.Publish, struct {
		Listen string `xml:"listen,attr"`
		Target string `xml:"target,attr"`
	}{listen, "10.0.0.9:80"})
	return m
}

func TestBefore(t *testing.T) {
	for name, c := range map[string]struct {
		steps  []Step
		sorted string
		says   string
	}{
		"start":                  {[]Step{{Name: "a", Wants: after(at("1.1.1.1"), "b")}, {Name: "b", Wants: at("1.1.1.2")}}, "b a", ""},
		"taken down":             {[]Step{{Name: "a", Has: at("1.1.1.1")}, {Name: "b", Has: after(at("1.1.1.2"), "a")}}, "b a", ""},
		"down, by a network":     {[]Step{{Name: "a", Has: &compiler.Metadata{Networks: []string{"n"}}, Networks: []string{"n"}}, {Name: "b", Has: at("1.1.1.2"), Networks: []string{"n"}}}, "b a", ""},
		"an address moves":       {[]Step{{Name: "a", Wants: at("1.1.1.1")}, {Name: "b", Has: at("1.1.1.1"), Wants: at("1.1.1.2")}}, "b a", ""},
		"from one that goes":     {[]Step{{Name: "a", Wants: at("1.1.1.1")}, {Name: "b", Has: at("1.1.1.1")}}, "b a", ""},
		"it keeps it":            {[]Step{{Name: "a", Wants: at("1.1.1.1")}, {Name: "b", Has: at("1.1.1.1"), Wants: at("1.1.1.1")}}, "a b", ""},
		"a port moves":           {[]Step{{Name: "a", Wants: publishes(":80")}, {Name: "b", Has: publishes(":80"), Wants: publishes(":81")}}, "b a", ""},
		"a port of one address":  {[]Step{{Name: "a", Wants: publishes("192.0.2.1:80")}, {Name: "b", Has: publishes(":80")}}, "b a", ""},
		"another address's port": {[]Step{{Name: "a", Wants: publishes("192.0.2.1:80")}, {Name: "b", Has: publishes("192.0.2.2:80")}}, "a b", ""},
		"two change places":      {[]Step{{Name: "a", Has: at("1.1.1.1"), Wants: at("1.1.1.2")}, {Name: "b", Has: at("1.1.1.2"), Wants: at("1.1.1.1")}}, "", "sbx down"},
		"who gives is after it":  {[]Step{{Name: "a", Wants: at("1.1.1.1")}, {Name: "b", Has: at("1.1.1.1"), Wants: after(at("1.1.1.2"), "a")}}, "", "sbx down b"},
		"three in a row":         {[]Step{{Name: "a", Has: at("1.1.1.1"), Wants: at("1.1.1.2")}, {Name: "b", Has: at("1.1.1.2"), Wants: at("1.1.1.3")}, {Name: "c", Has: at("1.1.1.3")}}, "c b a", ""},
		"an old order is no one": {[]Step{{Name: "a", Has: after(at("1.1.1.1"), "b"), Wants: at("1.1.1.1")}, {Name: "b", Has: at("1.1.1.2"), Wants: after(at("1.1.1.2"), "a")}}, "a b", ""},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := Before(c.steps)
			if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v, want %q", err, c.says)
			}
			if err != nil {
				return
			}
			var names []string
			for _, s := range c.steps {
				names = append(names, s.Name)
			}
			slices.Sort(names)
			if got := strings.Join(order.Sort(names, before), " "); got != c.sorted {
				t.Errorf("%s, want %s", got, c.sorted)
			}
		})
	}
}
