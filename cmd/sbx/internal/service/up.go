// Package service holds the verbs for what stays up, alone or as a folder of profiles,
// and for the host below it.
package service

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/plan"
	"github.com/sbx-dev/sbx/schema"
)

// Up makes sandboxes run.
type Up struct {
	verb.ProfileFlags
	verb.HostFlags
	keepFlags
	verb.TimingFlags
	Profiles []string `arg:"" name:"profile" help:"Profiles: files, folders or names."`
}

// keepFlags say what becomes of sandboxes that do not start.
type keepFlags struct {
	KeepFailed bool `help:"Leave a new sandbox that fails to start defined and stopped, with its log, for a look."`
}

// options are what the flags ask of runtime.Up.
func (k keepFlags) options() []runtime.UpOption {
	if k.KeepFailed {
		return []runtime.UpOption{runtime.KeepFailed}
	}
	return nil
}

func (Up) Help() string {
	return `Compiles the profiles and makes their sandboxes run, each behind its firewall,
and waits until they are ready, one after the other, in the order that their after
and their networks ask for. A sandbox that runs as its profile says is left
as it is. What can change while it runs does so, and everything else starts it
anew: sbx plan shows which. When a step fails, what it did before is undone.

A command that has ended before it was ready, or within its first half second
where its profile has no ready, is a failed start, which says how it ended and
what it wrote last. One that is started again after each end has five attempts.

Examples:
  sbx up apache
  sbx up ./profiles/apache.cue --tag backend=lxc`
}

func (c *Up) Run(a *verb.App) error {
	defer c.Record(a)()
	endLoad := verb.Span(a.Ctx, "load")
	profiles, err := c.Load(a, c.Profiles...)
	endLoad()
	if err != nil {
		return err
	}
	profiles, before := compiler.Order(profiles)
	host := c.Open(a)
	defer host.Close()
	endCompile := verb.Span(a.Ctx, "compile")
	bundles, err := c.Compile(a, profiles, host)
	endCompile()
	if err != nil {
		return err
	}
	var failed []error
	notUp := map[string]bool{}
	for i, b := range bundles {
		name := profiles[i].Name
		if err := runtime.NotBegun(name, before[name], notUp); err != nil {
			failed, notUp[name] = append(failed, err), true
			continue
		}
		end := verb.Span(a.Ctx, name)
		result, err := host.Up(a.Ctx, b, c.options()...)
		end()
		if err != nil {
			failed, notUp[name] = append(failed, placed(err, profiles)), true
			continue
		}
		say.Fprintln(a.Stdout, describeUp(result, profiles[i]))
		printRules(a.Stdout, result)
	}
	return errors.Join(failed...)
}

// describeUp says what was done and where the sandbox is reached.
func describeUp(u *runtime.UpResult, p *schema.Profile) string {
	var b strings.Builder
	b.WriteString(u.Name)
	switch {
	case u.Unchanged():
		b.WriteString(": unchanged")
	case u.Created:
		b.WriteString(": up")
	case u.Restarted:
		b.WriteString(": started anew")
	default:
		b.WriteString(": changed the " + strings.Join(plan.Objects(u.Changes), ", the "))
	}
	addresses := slices.Clone(u.Addresses)
	for _, a := range u.Leases.Leased {
		addresses = append(addresses, a+" (by DHCP)")
	}
	for _, a := range u.Leases.Claimed {
		addresses = append(addresses, a+" (by DHCP, as it says itself)")
	}
	if len(addresses) > 0 {
		b.WriteString(" at " + strings.Join(addresses, ", "))
	}
	if ports := openPorts(p); len(ports) > 0 {
		b.WriteString(" (" + strings.Join(ports, ", ") + ")")
	}
	if published := publishedPorts(p); len(published) > 0 {
		b.WriteString(", on the host " + strings.Join(published, ", "))
	}
	if u.Restarts > 0 {
		b.WriteString("; its command was started again " + count(u.Restarts, "time", "times") + " so far")
	}
	return b.String()
}

// publishedPorts lists the host's ports that lead to the sandbox, as "8080 to 80".
func publishedPorts(p *schema.Profile) []string {
	var list []string
	for _, n := range networks(p) {
		for _, one := range n.Publish {
			list = append(list, fmt.Sprintf("tcp %d to %d", one.TCP, one.To))
		}
	}
	return list
}

// openPorts lists what the profile lets others reach, as "tcp 80".
func openPorts(p *schema.Profile) []string {
	var list []string
	for _, n := range networks(p) {
		for _, rule := range n.Allow {
			if rule.In == nil {
				continue
			}
			list = append(list, portWords("tcp", rule.In.TCP)...)
			list = append(list, portWords("udp", rule.In.UDP)...)
			list = append(list, portWords("sctp", rule.In.SCTP)...)
		}
	}
	return list
}

// networks are the profile's, in the order of their interfaces.
func networks(p *schema.Profile) []schema.Network {
	if p.Network != nil {
		return []schema.Network{*p.Network}
	}
	var list []schema.Network
	for _, key := range slices.Sorted(maps.Keys(p.Networks)) {
		list = append(list, p.Networks[key])
	}
	return list
}

func portWords(protocol string, ports []schema.Ports) []string {
	var list []string
	for _, p := range ports {
		list = append(list, protocol+" "+p.String())
	}
	return list
}
