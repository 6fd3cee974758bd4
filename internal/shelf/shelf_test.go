package shelf

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/review"
	"github.com/sbx-dev/sbx/schema"
)

var update = flag.Bool("update", false, "write docs/shelf.md anew")

// every calls f with each profile as each backend that it is for.
func every(t *testing.T, f func(t *testing.T, p *schema.Profile)) {
	t.Helper()
	names, err := Names()
	if err != nil || len(names) == 0 {
		t.Fatal("no shipped profiles", err)
	}
	for _, name := range names {
		found := 0
		for _, backend := range schema.Backends() {
			p, err := Load(name, backend)
			if err != nil {
				t.Fatal(err)
			}
			if p != nil {
				found++
				t.Run(name+"/"+string(backend), func(t *testing.T) { f(t, p) })
			}
		}
		if found == 0 {
			t.Errorf("%s is for no backend", name)
		}
	}
}

// No profile that ships has anything that sbx vet warns of.
func TestNothingToWarnOf(t *testing.T) {
	every(t, func(t *testing.T, p *schema.Profile) {
		b, err := compiler.Compile(p, compiler.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range b.Warnings {
			t.Error(w)
		}
	})
}

// What each profile claims holds, and each that has a network claims what it lets in
// and what it asks others.
func TestClaimsHold(t *testing.T) {
	every(t, func(t *testing.T, p *schema.Profile) {
		walls, err := compiler.Firewalls(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(walls) > 0 && len(p.Tests) < 2 {
			t.Errorf("%d claims", len(p.Tests))
		}
		for name, claim := range p.Tests {
			for _, w := range walls {
				failures, err := w.Check(claim, schema.Field("tests", name), firewall.Rules{Source: p.Source})
				if err != nil || len(failures) > 0 {
					t.Errorf("%s: %v, %v", name, failures, err)
				}
			}
		}
	})
}

// page shows what ships.
const page = "../../docs/shelf.md"

// docs/shelf.md shows what sbx review says that each profile opens.
func TestTable(t *testing.T) {
	names, err := Names()
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	table.WriteString(heading)
	for _, name := range names {
		p, err := Load(name, schema.LXC)
		if err != nil || p == nil {
			t.Fatal(name, err)
		}
		r, err := review.Compare(review.Version{}, review.Version{Profile: p})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&table, "| [%s](../profiles/%s.cue) | %s |\n", name, name, strings.Join([]string{
			opened(r, review.Ingress, review.Egress), opened(r, review.Reads), opened(r, review.Writes), opened(r, review.Capabilities), figures[name].String(),
		}, " | "))
	}
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(have), heading)
	_, after, more := strings.Cut(string(have), "\n\n## In a machine")
	if !found || !more {
		t.Fatalf("%s has no such table", page)
	}
	want := before + table.String() + "\n## In a machine" + after
	if *update {
		err = os.WriteFile(page, []byte(want), 0o644)
	} else if want != string(have) {
		t.Errorf("%s is not what the profiles open: go test ./internal/shelf -update", page)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// heading is the table's.
const heading = "| profile | lets in, and may send | reads | writes | capabilities | Debian's unit |\n|---|---|---|---|---|---|\n"

// figure is what systemd-analyze security says of a service's own unit.
type figure struct{ unit, exposure string }

func (f figure) String() string {
	if f.unit == "" {
		return "none"
	}
	return f.unit + ": " + f.exposure
}

// figures are those of Debian 12's units, by profile; TestFigures asks systemd.
var figures = map[string]figure{
	"apache":        {"apache2", "9.4"},
	"dnsmasq":       {"dnsmasq", "9.6"},
	"haproxy":       {"haproxy", "9.6"},
	"mariadb":       {"mariadb", "8.8"},
	"memcached":     {"memcached", "4.8"},
	"mosquitto":     {"mosquitto", "9.6"},
	"nginx":         {"nginx", "9.6"},
	"node-exporter": {"prometheus-node-exporter", "9.2"},
	"php-fpm":       {"php8.2-fpm", "9.6"},
	"php-web":       {"nginx", "9.6"},
	"postgresql":    {"postgresql@", "9.6"},
	"redis":         {"redis-server", "1.2"},
	"rsyslog":       {"rsyslog", "9.6"},
	"samba":         {"smbd", "9.6"},
	"squid":         {"squid", "9.8"},
	"sshd":          {"ssh", "9.6"},
	"unbound":       {"unbound", "9.6"},
	"vsftpd":        {"vsftpd", "9.6"},
}

// opened is what a profile opens, in a cell.
func opened(r *review.Report, of ...review.Dimension) string {
	var all []string
	for _, c := range r.Changes {
		if slices.Contains(of, c.Dimension) && !slices.Contains(all, c.What) {
			all = append(all, c.What)
		}
	}
	if len(all) == 0 {
		return "nothing"
	}
	return strings.ReplaceAll(strings.Join(all, ", "), "|", "\\|")
}
