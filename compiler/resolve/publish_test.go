package resolve

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

type nowhere struct{}

func (nowhere) Pos(string) diag.Pos            { return diag.Pos{} }
func (nowhere) Origin(string) (diag.Pos, bool) { return diag.Pos{}, false }

func TestPublish(t *testing.T) {
	http := schema.Rule{In: &schema.Match{TCP: []schema.Ports{{From: 80, To: 90}}}}
	some := schema.Rule{In: http.In, From: schema.List{"10.0.0.0/8"}}
	out := schema.Rule{Out: http.In}
	v4 := []string{"10.0.0.2/24"}
	for _, c := range []struct {
		name    string
		allow   []schema.Rule
		address []string
		publish []schema.Publish
		want    []Published
		fault   string
	}{
		{"everywhere", []schema.Rule{http}, v4, []schema.Publish{{TCP: 8080, To: 80}}, []Published{{":8080", "10.0.0.2:80"}}, ""},
		{"on some addresses", []schema.Rule{http}, []string{"fd00::2/64"}, []schema.Publish{{TCP: 80, To: 80, On: schema.List{"127.0.0.1", "::1"}}},
			[]Published{{"127.0.0.1:80", "[fd00::2]:80"}, {"[::1]:80", "[fd00::2]:80"}}, ""},
		{"any protocol", []schema.Rule{{In: &schema.Match{Any: true}}}, v4, []schema.Publish{{TCP: 1, To: 1}}, []Published{{":1", "10.0.0.2:1"}}, ""},
		{"a closed port", []schema.Rule{http, out}, v4, []schema.Publish{{TCP: 8080, To: 79}}, nil, "does not let anyone in at tcp port 79"},
		{"only out", []schema.Rule{out}, v4, []schema.Publish{{TCP: 8080, To: 80}}, nil, "does not let anyone in"},
		{"open to some", []schema.Rule{some}, v4, []schema.Publish{{TCP: 8080, To: 80}}, nil, "only some"},
		{"no address", []schema.Rule{http}, nil, []schema.Publish{{TCP: 8080, To: 80}}, nil, "no address"},
		{"twice", []schema.Rule{http}, v4, []schema.Publish{{TCP: 8080, To: 80}, {TCP: 8080, To: 81, On: schema.List{"127.0.0.1"}}}, nil, "twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &schema.Profile{Name: "x", Source: nowhere{}, Network: &schema.Network{Attach: "n", Address: c.address, Allow: c.allow, Publish: c.publish}}
			s := &Sandbox{Profile: p, Interfaces: Interfaces(p)}
			got, err := s.published()
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("got %v, want an error with %q", err, c.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
