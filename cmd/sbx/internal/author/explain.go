package author

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/access"
	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/nwfilter"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/schema"
)

type Explain struct {
	Profile   string   `arg:"" help:"A profile: a file, a folder of one profile, or a name; or an nwfilter's XML file."`
	Question  string   `arg:"" name:"packet" help:"A packet, such as 'in tcp 203.0.113.5 -> :443', or an attempt at a path, such as 'write /usr/bin/x'."`
	Interface string   `placeholder:"KEY" help:"The interface, where the profile has several networks."`
	With      []string `sep:"none" placeholder:"PATH" help:"Profiles of the sandboxes that the rules name."`
	JSON      bool     `help:"Print JSON."`
	verb.ProfileFlags

	Var map[string]string `placeholder:"NAME=VALUE" help:"A variable of an nwfilter: MAC, IP, …; values of a list have commas between them." mapsep:"none"`
}

func (Explain) Help() string {
	return `Says what becomes of a packet: whether the profile's rules let it pass, by which
line, and what each layer of the firewall does with it, for a packet from another
port of the same bridge (peer), from the host, and by way of the host's routing.
Or, of root inside who tries to read, write or execute a path, which wall decides:
mounts, user ids, AppArmor and SELinux (of these two, that which the host enforces).

An attempt is written as ` + access.Syntax + `, with the path as the sandbox
sees it, and a packet as
  ` + strings.Replace(firewall.PacketSyntax, " [type", "\n    [type", 1) + `

Examples:
  sbx explain apache 'in tcp 203.0.113.5 -> :443'
  sbx explain apache 'out udp -> 10.83.0.1:53'
  sbx explain apache 'in icmp 10.83.0.7 -> type echo-request'
  sbx explain apache 'write /usr/bin/x'
  sbx explain apache 'read /var/www/html/index.html' --json

An nwfilter that sbx did not write can be asked too; what of it cannot be modelled
exactly is refused by name:
  sbx explain /etc/libvirt/nwfilter/clean-traffic.xml \
    --var MAC=02:00:00:00:00:01 --var IP=10.0.0.9 \
    'out tcp 10.0.0.8 -> 203.0.113.5:80'`
}

func (c *Explain) Run(a *verb.App) error {
	if strings.HasSuffix(c.Profile, ".xml") {
		return c.explainFilter(a)
	}
	if access.Is(c.Question) {
		return c.explainAccess(a)
	}
	profile, wall, err := c.firewall(a)
	if err != nil {
		return err
	}
	packet, err := wall.Policy.ParsePacket(c.Question)
	if err != nil {
		return err
	}
	return c.print(a, explain(profile, wall, packet))
}

func (c *Explain) print(a *verb.App, e explanation) error {
	if c.JSON {
		return printJSON(a.Stdout, e)
	}
	return e.print(a.Stdout)
}

// firewall compiles the firewall of the interface that is meant.
func (c *Explain) firewall(a *verb.App) (*schema.Profile, *compiler.Firewall, error) {
	profile, err := c.LoadOne(a, c.Profile)
	if err != nil {
		return nil, nil, err
	}
	others, err := c.Load(a, c.With...)
	if err != nil {
		return nil, nil, err
	}
	peers, err := c.Peers(a, append(others, profile), nil)
	if err != nil {
		return nil, nil, err
	}
	walls, err := compiler.Firewalls(profile, peers)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range walls {
		if w.Key == c.Interface || c.Interface == "" && len(walls) == 1 {
			return profile, &w, nil
		}
	}
	if len(walls) == 0 {
		return nil, nil, fmt.Errorf("%s has no network: nothing can reach it, and it can reach nothing", profile.Name)
	}
	return nil, nil, fmt.Errorf("%s has %d interfaces: name one of the keys of networks with --interface", profile.Name, len(walls))
}

// explanation is what `sbx explain --json` prints.
type explanation struct {
	Profile string      `json:"profile,omitempty"`
	Filter  string      `json:"filter,omitempty"`
	Packet  string      `json:"packet"`
	Accept  bool        `json:"accept"` // what the rules say
	Rule    *ruleJSON   `json:"rule,omitempty"`
	Walls   *wallsJSON  `json:"walls,omitempty"` // on a host with the inner wall, from everywhere
	Sources []layerJSON `json:"sources"`         // on one without
}

// wallsJSON is what the two walls do with the packet, wherever it comes from.
type wallsJSON struct {
	Accept bool      `json:"accept"`
	Outer  stepJSON  `json:"outer"`
	Inner  innerJSON `json:"inner"`
}

// innerJSON is what the inner wall does.
type innerJSON struct {
	Accept bool     `json:"accept"`
	Rule   string   `json:"rule"`
	Lines  []string `json:"lines,omitempty"` // of the profile, that ask for it
}

type ruleJSON struct {
	Text string `json:"text"`
	Path string `json:"path"`
	Pos  string `json:"pos"`
}

// layerJSON is what the filter does with the packet from one source.
type layerJSON struct {
	Source   string   `json:"source"`
	NFCall   bool     `json:"bridgeNfCall"`
	Accept   bool     `json:"accept"`
	Ebtables stepJSON `json:"ebtables"`
	Iptables stepJSON `json:"iptables"`
}

type stepJSON struct {
	Met     bool   `json:"met"`
	Accept  bool   `json:"accept"`
	Rule    string `json:"rule,omitempty"`
	Comment string `json:"comment,omitempty"`
}

func explain(p *schema.Profile, w *compiler.Firewall, packet space.Packet) explanation {
	decision := w.Policy.Eval(packet)
	e := explanation{Profile: p.Name, Packet: packet.String(), Accept: decision.Accept}
	if r := decision.Rule; r != nil {
		e.Rule = &ruleJSON{Text: r.String(), Path: r.Path, Pos: verb.PlaceHere(r.Pos).String()}
	}
	if w.Walls != nil {
		outer, inner := w.Outer.Model.Eval(packet, true).Ebtables, w.Wall.Eval(packet)
		e.Walls = &wallsJSON{Accept: outer.Accept && inner.Accept,
			Outer: stepJSON{true, outer.Accept, outer.Rule, outer.Comment},
			Inner: innerJSON{inner.Accept, inner.Rule, inner.Lines}}
	}
	e.Sources = layers(w.Model, packet)
	return e
}

// layers asks a filter about the packet from every source.
func layers(filter *nwfilter.Filter, packet space.Packet) (out []layerJSON) {
	for _, nfCall := range []bool{true, false} {
		for _, from := range []space.Source{space.Peer, space.Host, space.Routed} {
			if !nfCall && from != space.Peer {
				continue // the same as for a peer: only ebtables is left
			}
			packet.Source = from
			v := filter.Eval(packet, nfCall)
			out = append(out, layerJSON{Source: from.String(), NFCall: nfCall, Accept: v.Accept,
				Ebtables: stepJSON{true, v.Ebtables.Accept, v.Ebtables.Rule, v.Ebtables.Comment},
				Iptables: stepJSON{v.MetIptables, v.MetIptables && v.Iptables.Accept, v.Iptables.Rule, v.Iptables.Comment}})
		}
	}
	return out
}

func (e explanation) print(w io.Writer) error {
	say.Fprintf(w, "%s: %s\n", e.Packet, map[bool]string{true: "passes", false: "is dropped"}[e.Accept])
	switch {
	case e.Rule != nil:
		say.Fprintf(w, "  by %s, %s: %s\n", e.Rule.Pos, e.Rule.Path, e.Rule.Text)
	case e.Profile == "":
		say.Fprintf(w, "  as a packet between sandboxes on one bridge\n")
	case e.Accept:
		say.Fprintf(w, "  by no rule of the profile: addresses need it to work at all\n")
	default:
		say.Fprintf(w, "  no rule of %s lets it pass\n", e.Profile)
	}
	if e.Walls != nil {
		say.Fprintf(w, "\nanyone, on a host with the inner wall: %s\n", passes(e.Walls.Accept))
		say.Fprintf(w, "  outer     %s\n", e.Walls.Outer)
		say.Fprintf(w, "  inner     %s\n", e.Walls.Inner)
		say.Fprintf(w, "\nOn a host without it:\n")
	} else if e.Profile != "" {
		say.Fprintf(w, "\nThe rules are too many for an inner wall: on every host, libvirt's filter enforces them alone:\n")
	}
	for _, s := range e.Sources {
		say.Fprintf(w, "\n%s: %s\n", s.who(), passes(s.Accept))
		say.Fprintf(w, "  ebtables  %s\n", s.Ebtables)
		say.Fprintf(w, "  iptables  %s\n", s.Iptables)
	}
	_, err := say.Fprintln(w)
	return err
}

func (s layerJSON) who() string {
	if !s.NFCall {
		return "anyone, on a host with bridge-nf-call-iptables=0"
	}
	return map[string]string{"peer": "a peer on the bridge", "host": "the host", "routed": "by way of the host's routing"}[s.Source]
}

func (s innerJSON) String() string {
	text := passes(s.Accept) + ": " + s.Rule
	if len(s.Lines) > 0 {
		text += " (" + strings.Join(s.Lines, ", ") + ")"
	}
	return text
}

func (s stepJSON) String() string {
	switch {
	case !s.Met:
		return "does not see it"
	case s.Rule == "":
		return passes(s.Accept) + " by default"
	case s.Comment == "":
		return passes(s.Accept) + ": " + s.Rule
	}
	return passes(s.Accept) + ": " + s.Rule + " (" + s.Comment + ")"
}

func passes(accept bool) string {
	if accept {
		return "accept"
	}
	return "drop"
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
