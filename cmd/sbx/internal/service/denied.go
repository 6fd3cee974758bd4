package service

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/denied"
)

// Denied shows what a sandbox's inner walls have dropped.
type Denied struct {
	verb.HostFlags
	Follow bool   `short:"f" help:"Go on with what comes."`
	JSON   bool   `help:"Print an object: name, walls (with the counts in and out), denied (each with first, last, count, direction, protocol, from, to, and rule or why), mended (each with wall, times, last, found, why), untold, forgotten, missed. With --follow, one of denied a line."`
	Name   string `arg:"" help:"The sandbox, as sbx ps lists it."`
}

func (Denied) Help() string {
	return `Prints which packets the inner wall of a sandbox has dropped, how often, and for
each the smallest rule that would let it pass, as CUE for the allow-list of the
profile; or why no rule can. It changes nothing: whether a packet should pass is
yours to decide. What a rule lets pass by now is left out.

Of each direction 100 packets a second are looked at and 500 kinds kept, also
while the sandbox is stopped and started, until sbx down; all are counted.

Examples:
  sbx denied apache
  sbx denied apache -f
  sbx denied apache --json | jq -r '.denied[].rule // empty'`
}

// deniedPause is how often what is dropped is looked at: its log is written once a second.
const deniedPause = time.Second

func (c *Denied) Run(a *verb.App) error {
	host := c.Open(a)
	defer host.Close()
	found, err := host.Denied(c.Name)
	if err != nil {
		return err
	}
	e := json.NewEncoder(a.Stdout)
	e.SetEscapeHTML(false)
	switch {
	case c.JSON && !c.Follow:
		e.SetIndent("", "  ")
		return e.Encode(found)
	case c.JSON:
		if found.Untold != "" {
			say.Fprintf(a.Stderr, "sbx: what is dropped now is not told: %s\n", found.Untold)
		}
		return c.follow(a, host, found, func(p denied.Packet) error { return e.Encode(p) })
	}
	printWalls(a.Stdout, found)
	show := func(p denied.Packet) error {
		if p.Passes {
			return nil
		}
		return printDenied(a.Stdout, p)
	}
	if c.Follow {
		return c.follow(a, host, found, show)
	}
	for _, p := range found.Denied {
		if err := show(p); err != nil {
			return err
		}
	}
	return printLost(a.Stdout, found)
}

// follow shows what was found, and then each packet that is dropped first or again, until
// the user has seen enough.
func (c *Denied) follow(a *verb.App, host *runtime.Runtime, found *denied.Report, show func(denied.Packet) error) (err error) {
	var shown map[string]uint64
	for {
		counts := map[string]uint64{} // of what there is now: the log forgets, too
		for _, p := range found.Denied {
			key := keyOf(p)
			if counts[key] = p.Count; shown[key] == p.Count {
				continue
			}
			if err := show(p); err != nil {
				return err
			}
		}
		shown = counts
		select {
		case <-a.Ctx.Done():
			return watched(a, a.Ctx.Err())
		case <-time.After(deniedPause):
		}
		if found, err = host.Denied(c.Name); err != nil {
			return watched(a, err)
		}
	}
}

// printWalls says how much was dropped in all.
func printWalls(w io.Writer, r *denied.Report) {
	for _, wall := range r.Walls {
		say.Fprintf(w, "Packets dropped by %s: %d on their way in, %d on their way out.\n", wall.Wall, wall.In, wall.Out)
	}
	for _, m := range r.Mended {
		if m.Times > 0 {
			say.Fprintf(w, "%s was mended %s, last %s: it was %s.\n", m.Wall, times(m.Times), m.Last.Local().Format(time.DateTime), m.Found)
		}
		if m.Why != "" {
			say.Fprintf(w, "%s is not mended at once: %s.\n", m.Wall, m.Why)
		}
	}
	if r.Untold != "" {
		say.Fprintf(w, "What is dropped now is not told: %s.\n", r.Untold)
	}
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// keyOf tells what was shown from what was not.
func keyOf(p denied.Packet) string {
	p.FromPort = 0 // the latest's
	return p.Wall + " " + packetLine(p) + " " + p.Rule + p.Why
}

// packetLine is a packet as sbx explain reads it, as far as that has words for it.
func packetLine(p denied.Packet) string {
	line := p.Direction + " " + p.Protocol
	if p.From.IsValid() {
		line += " " + end(p.From, p.FromPort) + " -> " + end(p.To, p.ToPort)
	}
	if p.Type != nil {
		line += fmt.Sprintf(" type %d/%d", *p.Type, *p.Code)
	}
	return line
}

func end(a netip.Addr, port uint16) string {
	if port == 0 {
		return a.String()
	}
	return netip.AddrPortFrom(a, port).String()
}

func printDenied(w io.Writer, p denied.Packet) error {
	often := times(p.Count) + ", last"
	if p.Count == 1 {
		often = "once,"
	}
	if _, err := say.Fprintf(w, "\n%s\n    %s %s\n", packetLine(p), often, p.Last.Local().Format(time.DateTime)); err != nil {
		return err
	}
	if p.Rule == "" {
		_, err := say.Fprintf(w, "    no rule: %s\n", p.Why)
		return err
	}
	if p.Why != "" {
		say.Fprintf(w, "    %s\n", p.Why)
	}
	_, err := say.Fprintf(w, "    to let it pass, in %s:\n        %s,\n", p.List, p.Rule)
	return err
}

// printLost says what is not among what was shown.
func printLost(w io.Writer, r *denied.Report) error {
	if r.Forgotten > 0 {
		say.Fprintf(w, "\nKinds of packets that had to make room for others: %d.\n", r.Forgotten)
	}
	if r.Missed > 0 {
		say.Fprintf(w, "\nPackets that came faster than they could be noted: %d.\n", r.Missed)
	}
	return nil
}
