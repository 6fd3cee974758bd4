package access

import (
	"fmt"
	"path"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/apparmor"
	"github.com/sbx-dev/sbx/compiler/selinux"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/schema"
)

// letters are what AppArmor calls ways.
var letters = map[string]string{Read: "r", Write: "w", Execute: "x"}

// Where hosts usually have what the profile for AppArmor leaves open: none of it is a
// path that a profile shows.
var usual = map[apparmor.Variable]string{
	compiler.EmulatorVariable: "/usr/bin/qemu-system-x86_64",
	compiler.FirmwareVariable: "/usr/share/qemu/qboot.rom",
	compiler.DomainsVariable:  "/var/lib/libvirt/qemu",
	compiler.LogsVariable:     "/var/log/libvirt/qemu",
}

// none is the answer of a module that the profile does without.
func none(wall string) Answer {
	return Answer{Wall: wall, Verdict: Allows, Why: `the profile has mac: "none"`, Place: "mac"}
}

// appArmor is what the sandbox's profile for AppArmor says: of a container's path as the
// container sees it, and of what QEMU opens for a machine.
func (q *question) appArmor() (Answer, error) {
	if q.profile.MAC == schema.MACNone {
		return none(AppArmor), nil
	}
	if q.inMachine() {
		return Answer{Wall: AppArmor, Verdict: Allows, Why: "it confines QEMU, and this is in the machine alone"}, nil
	}
	values := map[apparmor.Variable]string{compiler.SandboxVariable: path.Join(compiler.StateDir, q.profile.Name)}
	for v, value := range usual {
		values[v] = value
	}
	rules, err := apparmor.Rules(q.bundle.File(compiler.AppArmorFile), values)
	if err != nil {
		return Answer{}, err
	}
	subject := q.confined()
	a := Answer{Wall: AppArmor, Verdict: Refuses, Why: fmt.Sprintf("no rule of its profile lets it %s %s", q.onHost(), subject)}
	letter := letters[q.onHost()]
	by, permitted := apparmor.Permits(rules, subject, letter)
	if by == nil { // a folder's own ends in a slash, to it
		by, permitted = apparmor.Permits(rules, subject+"/", letter)
	}
	if by != nil {
		a.Why = "by the rule " + by.Text
	}
	if permitted {
		a.Verdict = Allows
	}
	return a, nil
}

// confined is the path that AppArmor sees.
func (q *question) confined() string {
	if q.mount == nil || !q.profile.Backend.BootsKernel() {
		return q.Path
	}
	stage := path.Join(compiler.StateDir, q.profile.Name, state.Stage)
	if q.mount.Kind == manifest.Image {
		return path.Join(stage, state.StageImages, q.mount.Tag)
	}
	return move(q.Path, q.mount.Target, path.Join(stage, q.mount.Tag))
}

// permissions are what SELinux calls ways, of files.
var permissions = map[string]string{Read: "read", Write: "write", Execute: "execute"}

// selinux is what the sandbox's policy for SELinux says, by the types that it gives to
// the sandbox's content and to what it sees: which of the host's those are the host says.
func (q *question) selinux() (Answer, error) {
	a := Answer{Wall: SELinux, Verdict: Allows}
	policy := q.bundle.File(compiler.SELinuxFile)
	way := q.onHost()
	switch {
	case policy == nil:
		return none(SELinux), nil
	case q.inMachine():
		a.Why = "it confines QEMU, and this is in the machine alone"
	case q.device >= 0: // libvirt gives its file the type of a container's /dev, and the sandbox's categories
		a.Why = "a container may use what libvirt makes in its /dev, by sbx's module"
		if way == Execute {
			a.Verdict, a.Why = Refuses, "no sandbox executes a device"
		}
	case q.mount != nil && q.mount.Kind == manifest.Socket:
		a.Verdict, a.Why = Refuses, "sbx's policies have no way between two sandboxes: where SELinux enforces, the sandbox is refused"
	case q.mount != nil && q.source == "" && isWritable(*q.mount):
		a.Why = "memory is the sandbox's own, in sbx's module"
	case q.folder, q.mount != nil && q.source == "":
		a.Why = "each sandbox may read what sbx makes, by sbx's module"
		if way == Write {
			a.Verdict, a.Why = Refuses, "no sandbox writes what sbx makes"
		}
	case q.mount != nil && isWritable(*q.mount):
		a.ofType(policy, q.profile.Name, selinux.Content, way)
	default:
		a.ofType(policy, q.profile.Name, selinux.Exposed, way)
		if a.Verdict == Allows {
			a.Verdict = Host
			a.Why += ", except where the host calls it a secret, a home or another sandbox's content"
			if q.mount == nil {
				a.Why = fmt.Sprintf("it may %s what has the type of something exposed, wherever that is", way)
			}
		}
	}
	return a, nil
}

// ofType is the answer for what has a type of the policy's own.
func (a *Answer) ofType(policy []byte, sandbox, name, way string) {
	process, target := selinux.Type(sandbox, selinux.Process), selinux.Type(sandbox, name)
	if selinux.Permits(policy, name, "file", permissions[way]) {
		a.Verdict, a.Why = Allows, fmt.Sprintf("%s may %s %s", process, way, target)
		return
	}
	a.Verdict, a.Why = Refuses, fmt.Sprintf("%s may not %s %s", process, way, target)
}
