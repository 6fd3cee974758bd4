package schema

import "time"

// Defaults is a profile that says nothing; the comments of the CUE schema name
// the same values.
func Defaults() *Profile {
	return &Profile{
		Run: Run{
			Workdir: "/",
			User:    "root",
			Umask:   "0022",
			Restart: RestartNever,
			Stop:    Stop{Signal: "TERM", Timeout: Duration(10 * time.Second)},
		},
		Resources: Resources{Memory: 512 << 20, CPUs: 1, Pids: 1024},
		Users:     Users{Namespace: true},
		Machine:   Machine{Accel: "require"},
		MAC:       MACPreferred,
	}
}

// fill sets the defaults that depend on what the profile says.
func (p *Profile) fill() {
	if p.Hostname == "" {
		p.Hostname = p.Name
	}
	if r := p.Run.Ready; r != nil {
		r.fill()
		if r.Timeout == 0 {
			r.Timeout = Duration(30 * time.Second)
		}
	}
	for i := range p.Run.Prepare {
		if s := &p.Run.Prepare[i]; s.Timeout == 0 {
			s.Timeout = Duration(90 * time.Second)
		}
	}
	if r := p.Run.Reload; r != nil && r.Timeout == 0 {
		r.Timeout = Duration(30 * time.Second)
	}
	if h := p.Run.Health; h != nil {
		h.fill()
		if h.Every == 0 {
			h.Every = Duration(30 * time.Second)
		}
		if h.Failures == 0 {
			h.Failures = 3
		}
	}
	if p.Network != nil {
		p.Network.fill(p.Name, "")
	}
	for key, n := range p.Networks {
		n.fill(p.Name, key)
		p.Networks[key] = n
	}
	if p.Display != nil {
		p.Display.fill()
	}
	for at, m := range p.Mounts {
		m.fill(at)
		p.Mounts[at] = m
	}
}

func (n *Network) fill(sandbox, key string) {
	n.fillAddresses(sandbox, key)
	for i := range n.Publish {
		if n.Publish[i].To == 0 {
			n.Publish[i].To = n.Publish[i].TCP
		}
	}
}

func (p *Probe) fill() {
	if p.HTTP != nil && p.HTTP.Path == "" {
		p.HTTP.Path = "/"
	}
}
