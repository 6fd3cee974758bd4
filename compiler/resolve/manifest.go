package resolve

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/syscalls"
	"github.com/sbx-dev/sbx/schema"
)

// newManifest tells the first process what both backends have in common.
func newManifest(s *Sandbox, o Options) (*manifest.Manifest, error) {
	mounts, err := mountsOf(s.Profile)
	if err != nil {
		return nil, err
	}
	root, err := rootNodes(mounts)
	if err != nil {
		return nil, err
	}
	run, err := manifestRun(s.Profile)
	if err != nil {
		return nil, err
	}
	display, err := manifestDisplay(s.Profile)
	if err != nil {
		return nil, err
	}
	m := &manifest.Manifest{
		Version:  manifest.Version,
		Name:     s.Name,
		Hostname: s.Hostname,
		Root:     root,
		Mounts:   mounts,
		Display:  display,
		Devices:  s.Devices,
		Sysctls:  sysctls(s.Profile),
		Secrets:  slices.Sorted(maps.Keys(s.Secrets)),
		Service:  !o.Ephemeral,
		Run:      run,
	}
	for _, c := range s.Interfaces {
		m.Interfaces = append(m.Interfaces, manifestInterface(c))
	}
	if s.Backend.BootsKernel() {
		return m, fitMachine(m)
	}
	return m, nil
}

func manifestInterface(c Interface) manifest.Interface {
	i := manifest.Interface{
		Name:      c.Guest,
		MAC:       c.MAC.String(),
		Addresses: c.Address,
		Gateways:  c.Gateway,
		DHCP:      c.DHCP,
	}
	for _, r := range c.Routes {
		i.Routes = append(i.Routes, manifest.Route{To: r.To, Via: r.Via})
	}
	return i
}

func manifestRun(p *schema.Profile) (manifest.Run, error) {
	umask, err := mode(p.Run.Umask)
	if err != nil {
		return manifest.Run{}, fmt.Errorf("%s: run.umask: %w", p.Source.Pos("run.umask"), err)
	}
	r := manifest.Run{
		Argv:         p.Run.Argv,
		Env:          environment(p.Run.Env),
		Workdir:      p.Run.Workdir,
		User:         p.Run.User,
		Umask:        umask,
		Capabilities: slices.Sorted(slices.Values(p.Capabilities)),
		UserHolds:    slices.Sorted(slices.Values(p.Run.Capabilities)),
		Syscalls:     openSyscalls(p),
		Pids:         p.Resources.Pids,
		Limits:       limits(p),
		Restart:      string(p.Run.Restart),
		StopSignal:   p.Run.Stop.Signal,
		StopTimeout:  milliseconds(p.Run.Stop.Timeout),
	}
	if ready := p.Run.Ready; ready != nil {
		r.Ready = &manifest.Ready{Probe: manifestProbe(ready.Probe), Notify: ready.Notify, Timeout: milliseconds(ready.Timeout)}
	}
	if health := p.Run.Health; health != nil {
		r.Health = &manifest.Health{Probe: manifestProbe(health.Probe), Every: milliseconds(health.Every), Failures: health.Failures}
	}
	for _, s := range p.Run.Prepare {
		r.Prepare = append(r.Prepare, manifest.Step{Exec: s.Exec, User: s.User, Timeout: milliseconds(s.Timeout)})
	}
	if reload := p.Run.Reload; reload != nil {
		r.Reload = &manifest.Reload{Signal: reload.Signal, Exec: reload.Exec, Timeout: milliseconds(reload.Timeout)}
	}
	return r, nil
}

func limits(p *schema.Profile) (list []manifest.Limit) {
	for _, name := range slices.Sorted(maps.Keys(p.Resources.Ulimits)) {
		u := p.Resources.Ulimits[name]
		list = append(list, manifest.Limit{Name: name, Soft: amount(u.Soft), Hard: amount(u.Hard)})
	}
	return list
}

func amount(a schema.Amount) uint64 {
	if a == schema.Unlimited {
		return manifest.Unlimited
	}
	return uint64(a)
}

func sysctls(p *schema.Profile) (list []manifest.Sysctl) {
	for _, name := range slices.Sorted(maps.Keys(p.Sysctls)) {
		list = append(list, manifest.Sysctl{Name: name, Value: string(p.Sysctls[name])})
	}
	return list
}

// openSyscalls are those that the profile opens by name, and those without which a
// capability of its would be worth nothing.
func openSyscalls(p *schema.Profile) []string {
	words := append(p.Syscalls.Words(), syscalls.ByCapabilities(p.Capabilities)...)
	return slices.Compact(slices.Sorted(slices.Values(words)))
}

func manifestProbe(p schema.Probe) manifest.Probe {
	m := manifest.Probe{TCP: p.TCP, File: p.File, Exec: p.Exec}
	if p.HTTP != nil {
		m.HTTPPort, m.HTTPPath = p.HTTP.Port, p.HTTP.Path
	}
	return m
}

func environment(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// mode reads permission bits as a profile writes them; the empty string is 0.
func mode(s string) (m manifest.Mode, err error) {
	if s == "" {
		return 0, nil
	}
	err = m.UnmarshalText([]byte(s))
	return m, err
}

func milliseconds(d schema.Duration) int64 { return time.Duration(d).Milliseconds() }
