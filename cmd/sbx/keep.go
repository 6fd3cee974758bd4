package main

// keepCmd is the process beside a sandbox that keeps its log. Only up starts it.
type keepCmd struct {
	hostFlags
	Name string `arg:""`
}

func (c *keepCmd) Run(a *app) error {
	host := c.open(a)
	defer host.Close()
	return host.Keep(a.ctx, c.Name)
}
