package command

import (
	"bytes"
	"embed"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// runFlags are the flags of `sbx run` that change a profile.
type runFlags struct {
	Backend string   `short:"b" placeholder:"lxc|kvm" help:"The kind of walls: a container or a machine."`
	Expose  []string `sep:"none" placeholder:"PATH" help:"Show a file or folder of the host, read-only, at the same path."`
	Hide    []string `name:"no-expose" sep:"none" placeholder:"PATH" help:"Do not show a path that the profile exposes or mounts."`
	RO      []string `name:"ro" sep:"none" placeholder:"HOST[:PATH]" help:"Show a file or folder of the host, read-only, at PATH. A colon that does not part the two is written \\:."`
	RW      []string `name:"rw" sep:"none" placeholder:"HOST[:PATH]" help:"The same, writable. What is made there belongs to the folder's owner, as whom the command runs unless -u is given; root's folders are not followed."`
	Socket  []string `sep:"none" placeholder:"HOST[:PATH]" help:"Let it use a socket or FIFO of the host, or those in a folder: whoever listens there hears it. Containers only."`
	Tmpfs   []string `sep:"none" placeholder:"PATH[:SIZE]" help:"An empty folder in memory. (default size: 64MiB)"`
	Env     []string `short:"e" sep:"none" placeholder:"NAME[=VALUE]" help:"Set a variable; without a value, as it is here."`
	User    string   `short:"u" placeholder:"USER[:GROUP]" help:"Run the command as this user of the sandbox, in / unless -w is given."`
	Workdir string   `short:"w" placeholder:"DIR" help:"Start the command in this folder."`
	Network string   `placeholder:"NAME" help:"Attach it to this libvirt network, with an address by DHCP unless --address gives one."`
	Address []string `placeholder:"ADDRESS/LENGTH" help:"Its address on the network."`
	Gateway []string `placeholder:"ADDRESS" help:"Its default route."`
	DNS     []string `name:"dns" placeholder:"ADDRESS" help:"Ask this name server, and let packets to its port 53 pass."`
	Allow   []string `sep:"none" placeholder:"RULE" help:"Let packets pass. All others are dropped, both ways."`
	Memory  string   `placeholder:"SIZE" help:"The most memory that it may use: 256MiB, 2GiB."`
	CPUs    float64  `name:"cpus" placeholder:"N" help:"The processors that it may use; 0.5 is half of one."`

	bytes bytesFlags
}

// bytesFlags are values of flags that a profile, which is text, cannot hold. They
// go to the command past it.
type bytesFlags struct {
	env     []string
	workdir string
}

// setBytesAside takes from the flags what is not UTF-8 and need not stand in a
// profile.
func (f *runFlags) setBytesAside() {
	var text []string
	for _, entry := range hostEnv(f.Env) {
		if utf8.ValidString(entry) {
			text = append(text, entry)
		} else {
			f.bytes.env = append(f.bytes.env, entry)
		}
	}
	f.Env = text
	if !utf8.ValidString(f.Workdir) {
		f.bytes.workdir, f.Workdir = f.Workdir, ""
	}
}

// apply changes the profile as the flags say, and tells whether they say
// anything. What they amount to is checked by recheck.
func (f *runFlags) apply(p *schema.Profile) (changed bool, err error) {
	set(&changed, (*string)(&p.Backend), f.Backend)
	if f.User != "" {
		p.Run.Workdir = "/" // the profile's may be closed to another user
	}
	if f.User != "" && f.User != p.Run.User {
		p.Run.Capabilities = nil // which are for the profile's
	}
	set(&changed, &p.Run.User, f.User)
	set(&changed, &p.Run.Workdir, f.Workdir)
	if f.CPUs != 0 {
		p.Resources.CPUs, changed = f.CPUs, true
	}
	if f.Memory != "" {
		changed = true
		if p.Resources.Memory, err = schema.ParseSize(f.Memory); err != nil {
			return changed, fmt.Errorf("--memory: %w", err)
		}
	}
	for _, entry := range hostEnv(f.Env) {
		changed = true
		name, value, _ := strings.Cut(entry, "=")
		if p.Run.Env == nil {
			p.Run.Env = map[string]string{}
		}
		p.Run.Env[name] = value
	}
	files, err := f.applyFiles(p)
	if err != nil {
		return changed, err
	}
	network, err := f.applyNetwork(p)
	return changed || files || network, err
}

func set(changed *bool, to *string, value string) {
	if value != "" {
		*to, *changed = value, true
	}
}

// applyFiles adds what the sandbox sees of the host. A flag takes the place of
// what the profile has at the same path.
func (f *runFlags) applyFiles(p *schema.Profile) (changed bool, err error) {
	for _, path := range f.Hide {
		if err := hide(p, path); err != nil {
			return changed, err
		}
		changed = true
	}
	add := func(target string, m schema.Mount) {
		changed = true
		p.Expose = slices.DeleteFunc(p.Expose, func(e string) bool { return e == target })
		if p.Mounts == nil {
			p.Mounts = map[string]schema.Mount{}
		}
		delete(p.Mounts, target)
		if m.Host == target && !m.Writable && !m.Sockets {
			p.Expose = append(p.Expose, target)
			return
		}
		p.Mounts[target] = m
	}
	hosts := func(list []string, m schema.Mount) error {
		for _, entry := range list {
			host, target := splitPlaces(entry)
			if host, err = filepath.Abs(host); err != nil {
				return err
			}
			if target == "" {
				target = host
			}
			m.Host = host
			add(target, m)
		}
		return nil
	}
	if err := hosts(append(f.Expose[:len(f.Expose):len(f.Expose)], f.RO...), schema.Mount{}); err != nil {
		return changed, err
	}
	if err := hosts(f.RW, schema.Mount{Writable: true}); err != nil {
		return changed, err
	}
	if err := f.followOwners(p); err != nil {
		return changed, err
	}
	if err := hosts(f.Socket, schema.Mount{Sockets: true}); err != nil {
		return changed, err
	}
	for _, entry := range f.Tmpfs {
		target, text := splitEnd(entry, ":")
		size := schema.Size(64 << 20)
		if text != "" {
			if size, err = schema.ParseSize(text); err != nil {
				return changed, fmt.Errorf("--tmpfs %s: %w", entry, err)
			}
		}
		add(target, schema.Mount{Tmpfs: size, Mode: "1777"})
	}
	return changed, nil
}

// splitPlaces reads HOST or HOST:PATH. The last colon before a slash parts the
// two, unless a backslash stands before it: paths may hold colons.
func splitPlaces(entry string) (host, path string) {
	host, path = splitEnd(entry, ":/")
	if path != "" {
		path = "/" + path
	}
	return host, path
}

// splitEnd parts text at the last separator, which begins with a colon, that no
// backslash stands before, and takes the backslashes away.
func splitEnd(text, separator string) (front, end string) {
	front = text
	for at := len(text); ; {
		if at = strings.LastIndex(text[:at], separator); at < 0 {
			break
		}
		if at == 0 || text[at-1] != '\\' {
			front, end = text[:at], text[at+len(separator):]
			break
		}
	}
	plain := func(s string) string { return strings.ReplaceAll(s, `\:`, ":") }
	return plain(front), plain(end)
}

// hide takes a path away that the profile shows.
func hide(p *schema.Profile, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	_, mounted := p.Mounts[path]
	if !mounted && !slices.Contains(p.Expose, path) {
		if !verb.Exists(path) {
			return nil // the host has nothing there to show
		}
		var outer string
		for _, e := range p.Expose {
			if strings.HasPrefix(path, strings.TrimSuffix(e, "/")+"/") {
				outer = fmt.Sprintf("; to have nothing at a folder of %s, cover it: --tmpfs %s", e, path)
			}
		}
		return fmt.Errorf("--no-expose %s: the profile shows no such path by itself, only %s%s", path, strings.Join(shown(p), ", "), outer)
	}
	delete(p.Mounts, path)
	p.Expose = slices.DeleteFunc(p.Expose, func(e string) bool { return e == path })
	return nil
}

// shown are the paths that the profile exposes or mounts.
func shown(p *schema.Profile) []string {
	return slices.Sorted(slices.Values(slices.AppendSeq(slices.Clone(p.Expose), maps.Keys(p.Mounts))))
}

// keepWhatIsThere takes away what is exposed and the host has not got: sbx's own
// profile is for hosts of all kinds.
func keepWhatIsThere(p *schema.Profile) {
	p.Expose = slices.DeleteFunc(p.Expose, func(path string) bool {
		return !verb.Exists(path)
	})
}

// applyNetwork gives the sandbox its one interface, or changes the one that it
// has.
func (f *runFlags) applyNetwork(p *schema.Profile) (changed bool, err error) {
	if f.Network == "" && len(f.Address) == 0 && len(f.Gateway) == 0 && len(f.DNS) == 0 && len(f.Allow) == 0 {
		return false, nil
	}
	switch {
	case p.Networks != nil:
		return true, fmt.Errorf("the profile has several networks; --network, --address, --gateway, --dns and --allow are for one with a single network")
	case f.Network != "":
		p.Network = &schema.Network{Attach: f.Network, DHCP: len(f.Address) == 0}
	case p.Network == nil:
		return true, fmt.Errorf("there is no network to which --address, --gateway, --dns or --allow could apply: name one with --network")
	}
	if len(f.Address) > 0 {
		p.Network.Address, p.Network.DHCP = f.Address, false
	}
	if len(f.Gateway) > 0 {
		p.Network.Gateway = f.Gateway
	}
	if len(f.DNS) > 0 {
		p.Network.DNS = f.DNS
	}
	f.Allow = append(f.Allow[:len(f.Allow):len(f.Allow)], askRules(f.DNS)...)
	for _, text := range f.Allow {
		rule, err := parseRule(text)
		if err != nil {
			return true, fmt.Errorf("--allow %q: %w", text, err)
		}
		p.Network.Allow = append(p.Network.Allow, rule)
	}
	return true, nil
}

// askRules are the rules of --allow that let name servers be asked.
func askRules(servers []string) (rules []string) {
	for _, server := range servers {
		for _, protocol := range []string{"udp", "tcp"} {
			rules = append(rules, "out "+protocol+":53 to "+server)
		}
	}
	return rules
}

// recheck puts a profile that flags have changed through the schema, as if a
// person had written it.
func recheck(p *schema.Profile) (*schema.Profile, error) {
	text, err := load.Format(p)
	if err != nil {
		return nil, err
	}
	// The current folder has no part in it, and need not be readable.
	checked, err := (&load.Config{FS: embed.FS{}, Stdin: bytes.NewReader(text), Memory: verb.Memory()}).Load("-")
	if err != nil {
		return nil, fmt.Errorf("the flags amount to a profile that cannot be (--print shows it):\n%w", err)
	}
	return checked[0], nil
}
