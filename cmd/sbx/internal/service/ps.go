package service

import (
	"encoding/json"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/plan"
)

// Ps lists sandboxes.
type Ps struct {
	verb.HostFlags
	JSON bool `help:"Print a JSON array."`
}

func (Ps) Help() string {
	return `Lists the sandboxes that sbx made, with what each uses of the host now: memory,
and processor time in percent of one processor. SERVICE is the state of its
command: starting, ready, restarting (it has ended and is started again; RESTARTS
counts), reloading, stopping. SAYS, where any does, is what it says of its state by
sd_notify(3). An ADDRESS with a question mark is what the sandbox says that
somebody else's DHCP server gave it. USER is the host's user that it runs as: whom
QEMU runs as, for a machine, and the command itself, for a container; never root,
unless a container's profile says so. DRIFTED is what somebody else has changed;
sbx drift says more. NEXT RUN and LAST EXIT, where a profile has every, are when its
job runs next, and the exit code of its last run.

Examples:
  sbx ps
  sbx ps --json | jq -r '.[] | select(.drifted).name'`
}

func (c *Ps) Run(a *verb.App) error {
	host := c.Open(a)
	defer host.Close()
	list, err := host.List()
	if err != nil {
		return err
	}
	host.Measure(a.Ctx, list)
	if len(list) > 0 {
		markDrifted(a, host, list)
	}
	if c.JSON {
		e := json.NewEncoder(a.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(list)
	}
	return printSandboxes(a, list)
}

// markDrifted notes which sandboxes others have changed. Where that cannot be
// looked at, as on another machine, it says so and the rest is listed all the
// same.
func markDrifted(a *verb.App, host *runtime.Runtime, list []runtime.Sandbox) {
	changes, err := host.Drift(nil)
	if err != nil {
		say.Fprintf(a.Stderr, "sbx: drift is not known: %v\n", err)
	}
	for i := range list {
		list[i].Drifted = slices.ContainsFunc(changes, func(c plan.Change) bool { return c.Sandbox == list[i].Name })
	}
}

func printSandboxes(a *verb.App, list []runtime.Sandbox) error {
	w := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
	header := []string{"NAME", "BACKEND", "STATE", "SERVICE", "ADDRESS", "USER", "UPTIME", "MEMORY", "CPU", "RESTARTS", "PROFILE", "DRIFTED"}
	talk := slices.ContainsFunc(list, func(s runtime.Sandbox) bool { return s.Says != "" })
	if talk {
		header = append(header, "SAYS")
	}
	scheduled := slices.ContainsFunc(list, func(s runtime.Sandbox) bool { return s.Every != "" })
	if scheduled {
		header = append(header, "NEXT RUN", "LAST EXIT")
	}
	say.Row(w, header...)
	for _, s := range list {
		columns := []string{s.Name, string(s.Backend), s.State, serviceWord(s.Service), orDash(strings.Join(addressWords(s), ","))}
		columns = append(columns, measurements(s)...)
		drifted := "no"
		if s.Drifted {
			drifted = "yes"
		}
		columns = append(columns, shortDigest(s.Profile), drifted)
		if talk {
			columns = append(columns, orDash(s.Says))
		}
		if scheduled {
			columns = append(columns, runs(s)...)
		}
		say.Row(w, columns...)
	}
	return w.Flush()
}

// runs are the columns that only a job has.
func runs(s runtime.Sandbox) []string {
	next, last := "-", "-"
	if s.Next != nil {
		next = s.Next.Format("2006-01-02 15:04:05")
	}
	if s.LastExit != nil {
		last = strconv.Itoa(*s.LastExit)
	}
	return []string{next, last}
}

// measurements are the columns that only a running sandbox has.
func measurements(s runtime.Sandbox) []string {
	if s.State != "running" {
		return []string{"-", "-", "-", "-", "-"}
	}
	return []string{
		userName(s.User),
		(time.Duration(s.Uptime) * time.Second).String(),
		fmt.Sprintf("%.1fMiB", float64(s.Memory)/(1<<20)),
		fmt.Sprintf("%.0f%%", 100*s.CPU),
		strconv.Itoa(s.Restarts),
	}
}

// userName is the user's account, else its number: most sandboxes' ids have none.
func userName(id *uint32) string {
	if id == nil {
		return "-"
	}
	number := strconv.FormatUint(uint64(*id), 10)
	if account, err := user.LookupId(number); err == nil {
		return account.Username
	}
	return number
}

// addressWords are the sandbox's addresses, those of its profile first; what it
// only says itself has a question mark.
func addressWords(s runtime.Sandbox) []string {
	words := slices.Concat(s.Addresses, s.Leased)
	for _, a := range s.Claimed {
		words = append(words, a+"?")
	}
	return words
}

// serviceWord is the state of a sandbox's command for a person.
func serviceWord(s channel.State) string {
	if s == channel.Backoff {
		return "restarting"
	}
	return orDash(string(s))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// shortDigest is as much of a digest as a person compares.
func shortDigest(digest string) string {
	_, hex, _ := strings.Cut(digest, ":")
	return hex[:min(len(hex), 12)]
}
