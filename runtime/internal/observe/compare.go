package observe

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/jobs"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/publish"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/runtime/plan"
	"github.com/sbx-dev/sbx/schema"
)

// Why a change takes what it takes.
const (
	WhyAbsent      = "there is no such sandbox"
	whyStopped     = "it does not run"
	whyLive        = "libvirt changes it in what runs"
	whyStart       = "libvirt sets it up when the sandbox starts"
	whyDefinition  = "it counts from the next start on, and what runs has it already"
	whyManifest    = "the first process reads it when it starts"
	whyFiles       = "sbx makes the sandbox's files before it starts"
	whyFilter      = "libvirt puts a filter's rules in place of the older ones at once"
	whyRules       = "libvirt makes the rules anew from the filter"
	whyNoRecord    = "sbx was interrupted before it could note what it had done"
	whyNetwork     = "a network changes only while nothing is on it"
	whyNetworkIdle = "libvirt starts it"
	whyNames       = "libvirt's name server on the network learns it at once"
	whyPorts       = "a process of sbx's passes them on to what runs"
	whyLoose       = "libvirt puts an interface on its bridge when the sandbox starts"
	whyBinding     = "libvirt puts an interface behind its filter when the sandbox starts"
	whyAppArmor    = "the kernel takes a profile in place of the older one at once"
	whyPolicy      = "SELinux's policy takes a module in place of the older one at once"
	whyUnconfined  = "nothing confines a process that runs already"
	whyProfile     = "only sbx's own notes change"
	whyTimer       = "systemd takes a timer in place of the older one at once"
	whySource      = "a sandbox keeps what stood at the path when it started"
	WhyGone        = "no profile has it any more"
)

// comparison collects what is between a bundle and what there is.
type comparison struct {
	want    *bound.Sandbox
	have    *Observed
	changes []plan.Change
}

// Compare says what it takes to make the observed sandbox the wanted one.
func Compare(want *bound.Sandbox, have *Observed) ([]plan.Change, error) {
	c := &comparison{want: want, have: have}
	if have.Metadata == nil {
		c.add(StateObject, plan.Difference{Desired: "running"}, plan.Create, WhyAbsent)
		return c.changes, nil
	}
	if !have.Active && !want.Rests() {
		c.add(StateObject, plan.Difference{Live: have.State, Desired: "running"}, plan.Restart, whyStopped)
	}
	if err := errors.Join(c.domain(), c.manifest(), c.filters(), c.networks(), c.profile()); err != nil {
		return nil, err
	}
	if err := c.timer(); err != nil {
		return nil, err
	}
	c.policy()
	c.names()
	if desired := publish.Show(publish.Ports(c.want.Metadata)); c.have.Active && desired != c.have.ports {
		c.add(portsObject, plan.Difference{Live: c.have.ports, Desired: desired}, plan.Live, whyPorts)
	}
	c.nics()
	if err := c.walls(); err != nil {
		return nil, err
	}
	c.files()
	c.sources()
	if len(c.changes) == 0 {
		c.metadata()
	}
	plan.Sort(c.changes)
	return c.changes, nil
}

// Metadata compares sbx's own notes, which change together with anything else.
func (c *comparison) metadata() {
	have, want := c.have.Metadata, c.want.Metadata
	switch {
	case have.Applied == nil:
		c.add(metadataObject, plan.Difference{Field: "applied", Live: "in part"}, plan.Redefine, whyNoRecord)
	case have.Profile != want.Profile:
		c.add(metadataObject, plan.Difference{Field: "profile", Live: have.Profile, Desired: want.Profile}, plan.Redefine, whyProfile)
	}
}

func (c *comparison) add(object string, d plan.Difference, effect plan.Effect, why string) {
	c.changes = append(c.changes, plan.Change{
		Sandbox: c.want.Name, Object: object, Field: d.Field, Live: d.Live, Desired: d.Desired, Effect: effect, Why: why,
	})
}

// domain compares what runs, and then the definition: what differs there alone
// needs no more than to be defined anew.
func (c *comparison) domain() error {
	desired, err := c.want.Domain.Marshal()
	if err != nil {
		return err
	}
	var running []plan.Difference
	if c.have.Active {
		if running, err = plan.RunningDomain(desired, c.have.running); err != nil {
			return err
		}
	}
	for _, d := range running {
		effect, why := domainEffect(c.want.Backend, d)
		c.add(DomainObject, d, effect, why)
	}
	defined, err := plan.Domain(desired, c.have.defined)
	if err != nil {
		return err
	}
	for _, d := range defined {
		if !slices.ContainsFunc(running, func(r plan.Difference) bool { return r.Field == d.Field }) {
			c.add(DomainObject, d, plan.Redefine, whyDefinition)
		}
	}
	return nil
}

// domainEffect says what it takes to change a field of what runs: see
// tuning for what can be done live.
func domainEffect(kind schema.Backend, d plan.Difference) (plan.Effect, string) {
	part, _, _ := strings.Cut(d.Field, " ")
	live := part == "description" ||
		d.Desired != "" && (part == "cputune" || part == "blkiotune" || part == "memory" && known.Of(kind).Resizes)
	if live {
		return plan.Live, whyLive
	}
	return plan.Restart, whyStart
}

// manifest compares the orders of the first process with those that it was
// started by.
func (c *comparison) manifest() error {
	desired, err := c.want.Manifest.Encode()
	if err != nil {
		return err
	}
	live, err := os.ReadFile(known.Of(c.want.Backend).ManifestFile(c.want.Dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if bytes.Equal(desired, live) {
		return nil
	}
	var want, have any
	if err := json.Unmarshal(desired, &want); err != nil {
		return err
	}
	if json.Unmarshal(live, &have) != nil {
		have = nil // somebody has changed it to something else altogether
	}
	for _, d := range plan.Values(want, have) {
		c.add("manifest", d, plan.Restart, whyManifest)
	}
	return nil
}

func (c *comparison) filters() error {
	for _, name := range c.want.Metadata.Filters {
		document, live := c.want.Filters[name], c.have.filters[name]
		if live == "" {
			c.add(FilterObject(name), plan.Difference{Desired: "defined"}, plan.Live, whyFilter)
			continue
		}
		found, err := plan.Filter(string(document), live)
		if err != nil {
			return err
		}
		for _, d := range found {
			c.add(FilterObject(name), d, plan.Live, whyFilter)
		}
	}
	for _, name := range Gone(c.have.Metadata.Filters, c.want.Metadata.Filters) {
		c.add(FilterObject(name), plan.Difference{Live: "defined"}, plan.Redefine, WhyGone)
	}
	return nil
}

func (c *comparison) networks() error {
	for _, name := range c.want.Metadata.Networks {
		if err := c.network(name, string(c.want.Networks[name])); err != nil {
			return err
		}
	}
	for _, name := range Gone(c.have.Metadata.Networks, c.want.Metadata.Networks) {
		c.add(NetworkObject(name), plan.Difference{Live: "defined"}, plan.Redefine, WhyGone)
	}
	return nil
}

// network compares what runs of a network, and then its definition.
func (c *comparison) network(name, desired string) error {
	object, live := NetworkObject(name), c.have.networks[name]
	if live.Running == "" {
		effect, why := plan.Live, whyNetworkIdle
		if c.have.Active {
			effect, why = plan.Restart, whyLoose
		}
		c.add(object, plan.Difference{Field: "state", Live: "not running", Desired: "running"}, effect, why)
		return nil
	}
	running, err := plan.Network(desired, live.Running)
	if err != nil {
		return err
	}
	for _, d := range running {
		c.add(object, d, plan.Restart, whyNetwork)
	}
	if live.Defined == "" {
		c.add(object, plan.Difference{Desired: "defined"}, plan.Redefine, whyDefinition)
		return nil
	}
	defined, err := plan.Network(desired, live.Defined)
	if err != nil || len(running) > 0 {
		return err
	}
	for _, d := range defined {
		c.add(object, d, plan.Redefine, whyDefinition)
	}
	return nil
}

// names compares the records of the name servers. Where a network is to be
// started they come with it.
func (c *comparison) names() {
	for network, hosts := range c.want.Names() {
		live, known := c.have.names[network]
		if desired := virt.ShowNames(hosts); known && live != desired {
			c.add(namesObject(network), plan.Difference{Live: live, Desired: desired}, plan.Live, whyNames)
		}
	}
}

// Gone are the names that the live list alone has.
func Gone(live, desired []string) []string {
	return slices.DeleteFunc(slices.Clone(live), func(name string) bool { return slices.Contains(desired, name) })
}

// nics compares the rules in the kernel with those that were there when sbx
// had applied the filter. A filter that is to change has others anyway.
func (c *comparison) nics() {
	for _, nic := range c.have.nics {
		if nic.loose {
			c.add(nicObject(nic.device), plan.Difference{Field: "bridge", Live: nic.place(), Desired: "on " + nic.bridge}, plan.Restart, whyLoose)
		}
		if nic.bound != nic.filter {
			c.add(nicObject(nic.device), plan.Difference{Field: "filter", Live: nic.bound, Desired: nic.filter}, plan.Restart, whyBinding)
		}
		object := RulesObject(nic.device)
		before, now := Noted(c.have.Metadata)[object], nic.rules
		switch {
		case before == now:
		case before == "":
			c.add(object, plan.Difference{Live: "not noted", Desired: "as the filter says"}, plan.Live, whyNoRecord)
		default:
			c.add(object, plan.Difference{Live: now, Desired: before}, plan.Live, whyRules)
		}
	}
}

// timer compares what starts a job.
func (c *comparison) timer() error {
	if !c.want.Rests() { // a run changes nothing of it
		if c.want.Metadata.Every == "" && c.have.timer != "" {
			c.add(timerObject, plan.Difference{Live: "there"}, plan.Redefine, WhyGone)
		}
		return nil
	}
	desired, err := jobs.Text(c.want.Name, c.want.Metadata.Every)
	if err != nil || desired == c.have.timer {
		return err
	}
	c.add(timerObject, plan.Difference{Live: c.have.timer, Desired: desired}, plan.Live, whyTimer)
	return nil
}

// files compares what sbx has made in the sandbox's folder with what is there.
// Where the manifest differs, that says more.
func (c *comparison) files() {
	before := Noted(c.have.Metadata)[filesObject]
	if before == "" || before == c.have.files {
		return
	}
	if slices.ContainsFunc(c.changes, func(d plan.Change) bool { return d.Object == "manifest" }) {
		return
	}
	c.add(filesObject, plan.Difference{Field: c.want.Dir, Live: c.have.files, Desired: before}, plan.Restart, whyFiles)
}
