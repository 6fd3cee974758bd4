package doctor

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/boot/modules"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/internal/guard"
	"github.com/sbx-dev/sbx/runtime/internal/innerwall"
	"github.com/sbx-dev/sbx/runtime/internal/settings"
	"github.com/sbx-dev/sbx/schema"
)

// reach connects to the backend's libvirt driver.
func reach(b schema.Backend, mend string) probe {
	return func(_ context.Context, h host) Check {
		if err := h.runtime.NeedRoot(b); err != nil {
			return fail("sudo sbx doctor, for what root would meet", "%v", err)
		}
		uri, err := h.runtime.Reach(b)
		if err != nil {
			return fail(mend, "%v", err)
		}
		return ok("%s answers", uri)
	}
}

// networks asks libvirt for its networks and filters. It shows only where one of the two
// does not answer: in libvirtd both are always there; where each driver has a daemon, one
// may be missing.
func networks(b schema.Backend) probe {
	const mend = "apt install libvirt-daemon-driver-network libvirt-daemon-driver-nwfilter, and systemctl enable --now virtnetworkd.socket virtnwfilterd.socket"
	return func(_ context.Context, h host) Check {
		if _, err := h.runtime.Reach(b); err != nil {
			return Check{} // which reach reports
		}
		if err := h.runtime.CheckNetworks(b); err != nil {
			return fail(mend, "%v: sandboxes with a network do not start", err)
		}
		return Check{}
	}
}

// networkRules looks whether the rules that libvirt has made for networks are still there.
// It shows only where those of one are not: it has no NAT then, and an isolated one is
// kept apart by the walls of its sandboxes alone.
func networkRules(b schema.Backend) probe {
	return func(_ context.Context, h host) Check {
		if os.Geteuid() != 0 {
			return Check{} // nobody but root can see
		}
		if _, err := h.runtime.Reach(b); err != nil || h.runtime.CheckNetworks(b) != nil {
			return Check{} // which others report
		}
		names, mend, err := h.runtime.RulelessNetworks(b)
		switch {
		case err != nil:
			return warn("", "%v", err)
		case len(names) > 0:
			return warn(mend, "somebody has removed libvirt's rules of %s from this host's packet filter, as nft flush ruleset does: the walls of sandboxes hold, and none reaches anything beyond this host", strings.Join(names, ", "))
		}
		return Check{}
	}
}

func findInit(_ context.Context, h host) Check {
	path, err := h.runtime.InitPath("")
	if err != nil {
		return fail("make build, or set SBX_INIT", "%v", err)
	}
	return ok("%s", path)
}

// stateFolder looks at the folder that holds what sandboxes are made of.
func stateFolder(b schema.Backend) probe {
	return func(_ context.Context, h host) Check {
		folder, err := h.runtime.CheckState(b)
		var problem *state.Problem
		switch {
		case err == nil:
			return ok("%s", folder)
		case !errors.As(err, &problem):
			return fail("ls -ld "+folder, "%v", err)
		case problem.Mendable:
			return warn(problem.Mend+", or have the next sbx up or run do it", "%s %s", problem.Path, problem.What)
		}
		return fail(problem.Mend, "%s %s", problem.Path, problem.What)
	}
}

// userNamespaces reads the limit of user_namespaces(7).
func userNamespaces(_ context.Context, h host) Check {
	n, err := number(h, "proc/sys/user/max_user_namespaces")
	switch {
	case err != nil:
		return fail("boot a kernel with CONFIG_USER_NS", "the kernel has no user namespaces: %v", err)
	case n == 0:
		return fail("sysctl -w user.max_user_namespaces=15000", "user.max_user_namespaces is 0")
	}
	return ok("up to %d", n)
}

// subordinateIDs looks for ids that others may be given from the range out of
// which sandboxes get theirs. A sandbox that would overlap is refused when it is
// applied; this is to know it beforehand.
func subordinateIDs(_ context.Context, h host) Check {
	for _, name := range []string{"etc/subuid", "etc/subgid"} {
		file, err := os.Open(filepath.Join(h.root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fail("", "%v", err)
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			fields := strings.Split(lines.Text(), ":")
			if len(fields) != 3 {
				continue
			}
			first, err1 := strconv.ParseUint(fields[1], 10, 32)
			count, err2 := strconv.ParseUint(fields[2], 10, 33)
			if err1 == nil && err2 == nil && first <= compiler.HelperLast && first+count > compiler.IDFirst {
				return warn("give "+fields[0]+" a range outside of it, or sandboxes that overlap users: base",
					"/%s gives %s ids from the range %d to %d, out of which sandboxes get theirs", name, fields[0], compiler.IDFirst, compiler.HelperLast)
			}
		}
	}
	return ok("%d to %d are free for sandboxes", compiler.IDFirst, compiler.HelperLast)
}

// systemPath is where libvirtd finds programs, whatever the PATH of this process:
// a plain user's seldom has sbin in it.
var systemPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// firewallTools looks for what libvirtd runs to install a filter.
func firewallTools(_ context.Context, h host) Check {
	for _, tool := range []string{"iptables", "ip6tables", "ebtables"} {
		there := func(dir string) bool { _, err := exec.LookPath(filepath.Join(dir, tool)); return err == nil }
		if !slices.ContainsFunc(systemPath, there) {
			return fail("apt install iptables ebtables", "%s is not there: sandboxes with a network do not start", tool)
		}
	}
	return ok("iptables, ip6tables, ebtables")
}

// ipv6 looks whether the host's kernel has IPv6.
func ipv6(_ context.Context, h host) Check {
	if _, err := os.Stat(filepath.Join(h.root, "proc/net/if_inet6")); err != nil {
		return warn(runtime.IPv6Mend, "this host's kernel has no IPv6: containers and networks with addresses of it do not start")
	}
	return ok("the kernel has it")
}

// bridgeFiltering checks what libvirt's stateful rules hang on. Without it, the
// stateless half of every filter holds by itself. The first of those rules loads
// br_netfilter, with both switches on.
func bridgeFiltering(_ context.Context, h host) Check {
	const mend = "modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1"
	for _, name := range []string{"bridge-nf-call-iptables", "bridge-nf-call-ip6tables"} {
		switch n, err := number(h, "proc/sys/net/bridge/"+name); {
		case errors.Is(err, fs.ErrNotExist) && hasModule(h, "br_netfilter"):
			return ok("br_netfilter comes with the first filter: both halves of each hold then")
		case errors.Is(err, fs.ErrNotExist):
			return warn(mend, "br_netfilter is not loaded, nor among the kernel's modules: of each filter, only the stateless half holds")
		case err != nil:
			return fail(mend, "%v", err)
		case n == 0:
			return warn(mend, "net.bridge.%s is 0: of each filter, only the stateless half holds", name)
		}
	}
	return ok("both halves of each filter hold")
}

// innerWall asks the kernel whether it can hold inner walls. Without them, filters
// enforce all rules alone, as well as they can.
func innerWall(_ context.Context, h host) Check {
	of, err := settings.Read(settings.Path)
	if err != nil {
		return fail("put it right: sbx help SBX0540", "%v", err)
	}
	if of.Firewall == settings.NWFilter {
		return ok("none: %s has firewall %q, so libvirt's filters enforce alone", settings.Path, of.Firewall)
	}
	switch err := innerwall.Able(); {
	case errors.Is(err, fs.ErrPermission):
		return ok("only root can ask the kernel whether it can hold one")
	case err != nil && of.Firewall == settings.NFT:
		return fail("take another kernel, or another firewall: sbx help SBX0540", "%s has firewall %q, and the kernel cannot hold one: %v", settings.Path, of.Firewall, err)
	case err != nil:
		return ok("none: the kernel cannot hold one (%v), so libvirt's filters enforce alone, with the residual of docs/firewall.md", err)
	}
	if unwatched := h.unwatched(); len(unwatched) > 0 {
		return warn("sbx up, of any sandbox", "the process that watches them has ended: %s stay as they are, and nobody mends one that is removed", strings.Join(unwatched, ", "))
	}
	return ok("nftables holds one behind each filter, which sees all packets and knows their connections")
}

// unwatched are the inner walls whose guard has ended.
func (h host) unwatched() []string {
	folder, _ := h.runtime.CheckState(schema.LXC) // what is wrong with it, another check says
	guards := guard.Of(state.Folder(folder))
	if !guards.Ended() {
		return nil
	}
	names, _ := guards.Names()
	return names
}

// hasModule says whether the running kernel's modules have one of this name.
func hasModule(h host, name string) bool {
	release, err := os.ReadFile(filepath.Join(h.root, "proc/sys/kernel/osrelease"))
	if err != nil {
		return false
	}
	tree, err := modules.Open(filepath.Join(h.root, "lib/modules", strings.TrimSpace(string(release))))
	if err != nil {
		return false
	}
	_, err = tree.Closure(name)
	return err == nil
}

func number(h host, name string) (int, error) {
	text, err := os.ReadFile(filepath.Join(h.root, name))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
