// Package draft writes profiles of services as they are installed: from their
// systemd unit, what dpkg knows of their packages, the owners and modes of their
// files, and a table of what no unit says. Each line has its reason behind it, what
// could not be decided is told, and nothing of the unit is left out in silence.
//
// All that it reads is text of others. It starts nothing, and the profile that comes
// out has been checked as any other.
package draft

import (
	"crypto/md5" // as dpkg does
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/dpkg"
	"github.com/sbx-dev/sbx/internal/draft/accounts"
	"github.com/sbx-dev/sbx/internal/draft/hostfile"
	"github.com/sbx-dev/sbx/internal/draft/known"
	"github.com/sbx-dev/sbx/internal/draft/profile"
	"github.com/sbx-dev/sbx/internal/unitfile"
)

// service is what is read of one service, and what of it has been said in the profile.
type service struct {
	host fs.FS
	profile.Origin
	db       *dpkg.Database // nil where there is none
	unit     *unitfile.Unit
	known    known.Service
	accounts accounts.Accounts

	env      []unitfile.Variable
	argv     []string
	argvWhy  string
	whole    bool // the command starts as root, whatever User= says
	user     string
	packages []*dpkg.Package
	files    []string // of the packages, absolute

	mentioned []place // below stateFolders and /run, by its configuration, command and variables

	lowered map[string]bool // settings of the unit that the profile says, or lines of them
	edits   []string
}

// fromUnit drafts a profile of a service by the name of its unit.
func fromUnit(host fs.FS, name string, o profile.Origin) (*profile.Draft, error) {
	table, err := known.Open(host)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(name, ".service") {
		name += ".service"
	}
	unit, err := unitfile.Read(host, name)
	if script := scriptOf(host, name); errors.Is(err, unitfile.ErrNone) && script != "" {
		return nil, fmt.Errorf("there is no unit %s: %s starts it, a script, which does not say what it runs; draft the process while it runs, pid:NUMBER, or its command, command:'/usr/sbin/PROGRAM …'", name, script)
	}
	if err != nil {
		return nil, err
	}
	k, err := table.Find(unit.Name, unit.Instance())
	if err != nil {
		return nil, err
	}
	if k.StandsFor != "" {
		instance, err := theOnly(host, unit.Name, k)
		if err != nil {
			return nil, err
		}
		return fromUnit(host, instance, o)
	}
	return fromService(host, unit, k, o)
}

// scriptOf is the script of SysV's init that starts a service which has no unit of its
// own; "" where there is none. systemd makes a unit of it as it starts, which says no more.
func scriptOf(host fs.FS, unit string) string {
	script := "/etc/init.d/" + strings.TrimSuffix(unit, ".service")
	if info, err := fs.Stat(host, script[1:]); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return script
}

// theOnly is the instance that a unit stands for which runs nothing itself.
func theOnly(host fs.FS, name string, k known.Service) (string, error) {
	found, err := fs.Glob(host, strings.TrimPrefix(k.Instances, "/"))
	if err != nil {
		return "", err
	}
	fixed, _, _ := strings.Cut(k.Instances, "*")
	var units []string
	for _, f := range found {
		instance := strings.TrimPrefix(path.Dir("/"+f), fixed)
		units = append(units, k.StandsFor+strings.ReplaceAll(instance, "/", "-")+".service")
	}
	switch len(units) {
	case 1:
		return units[0], nil
	case 0:
		return "", fmt.Errorf("%s runs nothing itself (%s), and there is no %s", name, k.Why, k.Instances)
	}
	return "", fmt.Errorf("%s runs nothing itself: %s; name one of its units: %s", name, k.Why, strings.Join(units, ", "))
}

func fromService(host fs.FS, unit *unitfile.Unit, k known.Service, o profile.Origin) (*profile.Draft, error) {
	if o.Name == "" {
		o.Name = profile.Name(unit.Name)
	}
	unit.Host = o.Name // as the sandbox calls itself
	s := &service{host: host, Origin: o, unit: unit, known: k, accounts: readAccounts(host), lowered: map[string]bool{}}
	for _, step := range []func() error{s.findEnvironment, s.findCommand, s.findUser, s.findPackages} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	d, err := s.write()
	if err != nil {
		return nil, err
	}
	return d, profile.Check(d)
}

func (s *service) findEnvironment() error {
	env, missing, err := s.unit.Environment(s.host)
	for _, file := range missing {
		s.edit("run.env: %s is not there, which the unit's EnvironmentFile= names", file)
	}
	s.env = env
	s.done("Environment", "EnvironmentFile")
	return err
}

// findCommand is the command that stays in the foreground.
func (s *service) findCommand() error {
	defer s.done("ExecStart", "Type")
	if len(s.known.Argv) > 0 {
		s.argv, s.argvWhy = s.known.Argv, s.known.Why
		return nil
	}
	starts := s.unit.All("Service", "ExecStart")
	if len(starts) == 0 {
		return fmt.Errorf("%s has no ExecStart: it starts nothing", s.unit.Name)
	}
	last := starts[len(starts)-1]
	values := map[string]string{}
	for _, v := range s.env {
		values[v.Name] = v.Value
	}
	commands, err := unitfile.Commands(last.Value, values)
	if err != nil {
		return fmt.Errorf("%s: ExecStart: %w", last.File, err)
	}
	if len(starts)+len(commands) > 2 {
		s.edit("run.argv: %s starts %d commands one after another, and a sandbox has one: this is the last", s.unit.Name, len(starts)+len(commands)-1)
	}
	command := commands[len(commands)-1]
	s.argv, s.argvWhy, s.whole = append(command.Argv, s.known.Arguments...), "ExecStart of "+s.unit.Name, command.Whole
	if command.Name != "" {
		s.edit("run.argv: the unit calls it %q (@), and a sandbox calls it by its path", command.Name)
	}
	if !strings.HasPrefix(s.argv[0], "/") {
		s.edit("run.argv: %q is no path; write the program's whole path", s.argv[0])
	}
	switch kind, _ := s.unit.Last("Service", "Type"); {
	case kind.Value == "oneshot" && len(s.argv) == 1 && path.Base(s.argv[0]) == "true":
		return fmt.Errorf("%s runs nothing itself (%s): it stands for other units%s", s.unit.Name, s.argv[0], s.instances())
	case kind.Value == "oneshot":
		s.edit("run.argv: the command does its work and ends (Type=oneshot): it is one for sbx run %s, and sbx up takes its end for a failure", s.Name)
	case kind.Value == "forking":
		s.edit("run.argv: the command goes into the background (Type=forking), and a sandbox's must stay: give it the option that keeps it in the foreground")
	}
	return nil
}

// instances tells of the template that has the unit's name, if there is one.
func (s *service) instances() string {
	base := strings.TrimSuffix(s.unit.Name, ".service")
	if _, err := unitfile.Read(s.host, base+"@x.service"); err != nil {
		return ""
	}
	return fmt.Sprintf("; name an instance of %s@.service, unit:%s@NAME", base, base)
}

// dynamic are the ids of services whose unit says DynamicUser=yes: the first of those
// that systemd takes for them.
const dynamic = "61184:61184"

func (s *service) findUser() error {
	defer s.done("User", "Group", "DynamicUser")
	s.user = s.known.User
	user, _ := s.unit.Last("Service", "User")
	group, _ := s.unit.Last("Service", "Group")
	if s.user == "" {
		s.user = user.Value
	}
	if s.user == "" {
		s.user = "root"
		if isYes(s.unit, "DynamicUser") {
			s.user = dynamic
		}
		return nil
	}
	if s.user == "root" || s.user == "0" || s.whole && s.known.User == "" {
		s.user = "root"
		return nil
	}
	a, ok := s.accounts.User(s.user)
	if !ok {
		s.edit("run.user: there is no user %s on this host", s.user)
		return nil
	}
	if gid, ok := s.accounts.Group(group.Value); group.Value != "" && ok && gid != a.GID {
		s.user = fmt.Sprintf("%d:%d", a.UID, gid)
	}
	return nil
}

// isRoot says whether the service starts as root, whatever it becomes.
func (s *service) isRoot() bool { return s.user == "root" }

func (s *service) findPackages() error {
	db, err := dpkg.Open(s.host)
	if errors.Is(err, fs.ErrNotExist) {
		s.edit("expose: this host has no dpkg, and no other package database is read: what its packages bring besides the unit is not known")
		return nil
	}
	if err != nil {
		return err
	}
	s.db = db
	for _, file := range append(s.unit.Files[:min(1, len(s.unit.Files))], s.argv[0]) {
		owners, err := db.Owner(file)
		if err != nil {
			return err
		}
		for _, o := range owners {
			for _, p := range db.Siblings(o.Name) {
				if !slices.Contains(s.packages, p) {
					s.packages = append(s.packages, p)
				}
			}
		}
	}
	for _, p := range s.packages {
		files, err := db.Files(p)
		if err != nil {
			return err
		}
		s.files = append(s.files, files...)
	}
	s.findChanged()
	slices.Sort(s.files)
	s.files = slices.Compact(s.files)
	return nil
}

// findChanged tells of configuration that the table of services takes for what the
// package brought, and that has been changed.
func (s *service) findChanged() {
	for _, name := range s.known.Assumes {
		data, err := hostfile.Read(s.host, strings.TrimPrefix(name, "/"), maxConfigFile)
		is := fmt.Sprintf("%x", md5.Sum(data))
		for _, p := range s.packages {
			if was, ok := p.Conffiles[name]; ok && (err != nil || is != was) {
				s.edit("run.argv holds %s as %s brought it, and it has been changed since: say the same there", name, p.Name)
			}
		}
	}
}

// edit tells a person to decide something.
func (s *service) edit(format string, args ...any) {
	s.edits = append(s.edits, fmt.Sprintf(format, args...))
}

// done says of settings of the unit that the profile says them.
func (s *service) done(names ...string) {
	for _, n := range names {
		s.lowered[n] = true
	}
}

// said says of one line of a setting's that the profile says it.
func (s *service) said(setting, value string) { s.lowered[setting+"="+value] = true }

// isYes reads a setting that is yes or no.
func isYes(u *unitfile.Unit, name string) bool {
	v, _ := u.Last("Service", name)
	return slices.Contains([]string{"yes", "true", "on", "1"}, strings.ToLower(v.Value))
}
