package kernelrules

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/pattern"
)

// Rules are the lines of iptables, ip6tables and ebtables, with the name
// of their table in front. Comments are left out.
type Rules []string

// ruleLists print the tables that libvirt's nwfilter driver writes to, and
// Frame the one of them that stands before all others.
var (
	Frame     = []string{"ebtables", "--concurrent", "-t", "nat", "-L"}
	ruleLists = [][]string{
		{"iptables", "-w", "-S"},
		{"ip6tables", "-w", "-S"},
		Frame,
	}
)

// Read reads the rules that are in force, the tables at once: what takes the time is to
// start the programs. The kernel can be asked for them on the machine itself alone.
func Read() (Rules, error) {
	tables, failed := make([]Rules, len(ruleLists)), make([]error, len(ruleLists))
	var all sync.WaitGroup
	for n, argv := range ruleLists {
		all.Go(func() {
			out, err := List(argv)
			if err != nil {
				failed[n] = fmt.Errorf("cannot read the firewall's rules: %s: %w", strings.Join(argv, " "), err)
			}
			tables[n] = RuleLines(argv[0], out)
		})
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	return slices.Concat(tables...), nil
}

// listLimit is how long others may keep changing the tables.
const listLimit = 10 * time.Second

// List runs a command that prints a table. It fails while others change tables,
// which libvirt does when another sandbox starts, and is then run again.
func List(argv []string) (string, error) {
	for deadline := time.Now().Add(listLimit); ; time.Sleep(20 * time.Millisecond) {
		out, err := exec.Command(argv[0], argv[1:]...).Output()
		var failed *exec.ExitError
		if errors.As(err, &failed) && time.Now().Before(deadline) {
			continue
		}
		if failed != nil {
			err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(failed.Stderr))
		}
		return string(out), err
	}
}

// ruleComment is a comment as iptables -S prints it.
var ruleComment = pattern.Of(`-m comment --comment ("(\\.|[^"\\])*"|\S+) `)

// RuleLines gives a table's rules, each with its chain: iptables -S names it in
// every line, ebtables -L in a heading.
func RuleLines(table, text string) []string {
	var lines []string
	chain := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if heading, found := strings.CutPrefix(line, "Bridge chain: "); found {
			chain, _, _ = strings.Cut(heading, ",")
			continue
		}
		if line == "" || strings.HasPrefix(line, "Bridge table:") || strings.HasPrefix(line, "-N ") || strings.HasPrefix(line, "-P ") {
			continue
		}
		line = ruleComment().ReplaceAllString(line, "")
		lines = append(lines, strings.Join(strings.Fields(table+" "+chain+" "+line), " "))
	}
	return lines
}

// guards are the jumps by which packets come to any interface's rules. libvirt
// makes them with every filter, by taking them away and putting them back
// (iptablesCreateBaseChainsFW in nwfilter_ebiptables_driver.c).
var guards = []string{
	"iptables -A FORWARD -j libvirt-in",
	"iptables -A FORWARD -j libvirt-out",
	"iptables -A INPUT -j libvirt-host-in",
	"ip6tables -A FORWARD -j libvirt-in",
	"ip6tables -A FORWARD -j libvirt-out",
	"ip6tables -A INPUT -j libvirt-host-in",
}

// MissingGuards are the guards that are not there, of the tables in which some of
// the rules of any interface stand behind them. libvirt makes none in the others:
// the filter of an interface without IPv6 has no rule in ip6tables.
func (k Rules) MissingGuards(of Rules) []string {
	return slices.DeleteFunc(slices.Clone(guards), func(g string) bool {
		table, _, _ := strings.Cut(g, " ")
		used := slices.ContainsFunc(of, func(line string) bool { return strings.HasPrefix(line, table+" -A libvirt-") })
		return !used || slices.Contains(k, g)
	})
}

// Of gives the rules that stand between an interface and others: those of the
// chains that libvirt names after its device, and the jumps that lead there.
func (k Rules) Of(device string) Rules {
	return slices.DeleteFunc(slices.Clone(k), func(line string) bool { return !strings.Contains(line, device) })
}

// Fingerprint tells a set of rules from every other, and says how many there
// are, and which guards are missing.
func (k Rules) Fingerprint(missing []string) string {
	print := fmt.Sprintf("%d rules, %s", len(k), compiler.Digest([]byte(strings.Join(k, "\n"))))
	if len(missing) > 0 {
		print += ", without " + strings.Join(missing, ", ")
	}
	return print
}
