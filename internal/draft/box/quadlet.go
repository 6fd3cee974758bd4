package box

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/sbx-dev/sbx/internal/draft/amounts"
	"github.com/sbx-dev/sbx/internal/draft/hostfile"
	"github.com/sbx-dev/sbx/internal/draft/profile"
	"github.com/sbx-dev/sbx/internal/unitfile"
)

// FromQuadlet drafts a profile of a container that podman makes a unit of.
func FromQuadlet(host fs.FS, name string, o profile.Origin) (*profile.Draft, error) {
	unit, err := unitfile.ReadFile(host, strings.TrimPrefix(name, "/"))
	if err != nil {
		return nil, hostfile.Named(name, err)
	}
	base := strings.TrimSuffix(path.Base(name), ".container")
	b := &box{Origin: o, host: host, file: name, project: base}
	if b.Name == "" {
		b.Name = profile.Name(base)
	}
	settings := 0
	for _, section := range []string{"Unit", "Container", "Service", "Install"} {
		for _, key := range unit.Names(section) {
			for _, s := range unit.All(section, key) {
				if section == "Container" {
					settings++
				}
				if !b.quadlet(section, key, s.Value) {
					b.leave(section, key+"=", s.Value)
				}
			}
		}
	}
	if settings == 0 {
		return nil, fmt.Errorf("%s has no section Container: it is no quadlet of a container", name)
	}
	return b.draft()
}

// quadlet reads one setting, and says whether the profile says it.
func (b *box) quadlet(section, key, value string) bool {
	why := key + "="
	switch section + " " + key {
	case "Container Image":
		b.image = value
	case "Container Exec":
		b.argv, b.argvWhy = append(b.argv, commandWords(value)...), why
	case "Container Entrypoint":
		b.argv, b.argvWhy = append(commandWords(value), b.argv...), why
	case "Container Environment":
		b.addEnvironment(commandWords(value))
	case "Container WorkingDir":
		b.workdir = value
	case "Container User":
		b.user = value
	case "Container HostName":
		b.hostname = value
	case "Container ContainerName", "Container ReadOnly", "Container NoNewPrivileges", "Container DropCapability", "Install WantedBy":
		return true // all of that is so, or is nothing here
	case "Container AddCapability":
		for _, name := range strings.Fields(value) {
			b.addCapability(name)
		}
	case "Container AddDevice":
		b.addDevice(value)
	case "Container PublishPort", "Container ExposeHostPort":
		b.addPort(value, why)
	case "Container Volume":
		b.addVolume(strings.TrimSuffix(value, ".volume"), why)
	case "Container Tmpfs":
		at, _, _ := strings.Cut(value, ":")
		b.addMount(mount{inside: at, size: "64MiB", why: why})
	case "Container EnvironmentFile":
		b.envFiles = append(b.envFiles, value)
	case "Container Ulimit":
		name, limit, _ := strings.Cut(value, "=")
		return b.addUlimit(name, limit)
	case "Container Sysctl":
		for _, v := range commandWords(value) {
			b.addSysctl(v)
		}
	case "Container ShmSize":
		return b.setShm(value, why)
	case "Container Notify":
		b.notify = value == "true"
		return b.notify || value == "false"
	case "Container ReloadSignal":
		b.reload = profile.Signal(value)
		return b.reload != ""
	case "Container HealthCmd":
		b.health = []string{"/bin/sh", "-c", value}
	case "Container HealthInterval":
		b.healthEvery = amounts.EngineSpan(value)
		return b.healthEvery != ""
	case "Container HealthRetries":
		b.healthFailures = value
		return amounts.Number(value) >= 1
	case "Container StopTimeout":
		b.timeout = amounts.EngineSpan(value)
		return b.timeout != ""
	case "Container StopSignal":
		b.signal = value
	case "Container PidsLimit":
		b.pids = value
		return amounts.Number(value) >= 1
	case "Container Memory":
		b.memory = amounts.EngineSize(value)
		return b.memory != ""
	case "Service Restart":
		return b.setRestart(value)
	case "Unit Description":
		b.description = value
	case "Unit After":
		b.quadletAfter(value)
	default:
		return false
	}
	return true
}

// quadletAfter has the profile start after services; what is none is left.
func (b *box) quadletAfter(value string) {
	for _, name := range strings.Fields(value) {
		other, ok := strings.CutSuffix(name, ".service")
		if !ok {
			b.leave("Unit", "After=", name)
			continue
		}
		b.after, b.notes = append(b.after, profile.Name(other)), "After="
	}
}
