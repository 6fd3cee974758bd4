package draft

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// accounts are the users and groups of a host.
type accounts struct {
	users  []account
	groups []account // gid alone
}

type account struct {
	name     string
	uid, gid int
}

// maxAccounts is how long /etc/passwd may be, in bytes.
const maxAccounts = 4 << 20

// readAccounts reads /etc/passwd and /etc/group. Without them there are no names.
func readAccounts(host fs.FS) (a accounts) {
	for _, f := range accountLines(host, "etc/passwd", 4) {
		uid, err1 := strconv.Atoi(f[2])
		gid, err2 := strconv.Atoi(f[3])
		if err1 == nil && err2 == nil {
			a.users = append(a.users, account{f[0], uid, gid})
		}
	}
	for _, f := range accountLines(host, "etc/group", 3) {
		if gid, err := strconv.Atoi(f[2]); err == nil {
			a.groups = append(a.groups, account{name: f[0], gid: gid})
		}
	}
	return a
}

func accountLines(host fs.FS, name string, fields int) (all [][]string) {
	data, err := readFile(host, name, maxAccounts)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) >= fields {
			all = append(all, f)
		}
	}
	return all
}

// user finds a user by name or id.
func (a accounts) user(name string) (account, bool) {
	return find(a.users, func(u account) bool { return u.name == name || strconv.Itoa(u.uid) == name })
}

// group finds a group by name or id.
func (a accounts) group(name string) (gid int, ok bool) {
	g, ok := find(a.groups, func(g account) bool { return g.name == name || strconv.Itoa(g.gid) == name })
	return g.gid, ok
}

func find(all []account, is func(account) bool) (account, bool) {
	i := slices.IndexFunc(all, is)
	if i < 0 {
		return account{}, false
	}
	return all[i], true
}

// owner is whose a file is.
type owner struct{ uid, gid int }

// describe is an owner as ls shows it.
func (a accounts) describe(o owner) string { return a.userName(o.uid) + ":" + a.groupName(o.gid) }

func (a accounts) userName(uid int) string {
	u, ok := find(a.users, func(u account) bool { return u.uid == uid })
	if !ok {
		return strconv.Itoa(uid)
	}
	return u.name
}

func (a accounts) groupName(gid int) string {
	g, ok := find(a.groups, func(g account) bool { return g.gid == gid })
	if !ok {
		return strconv.Itoa(gid)
	}
	return g.name
}

// ids are the names that a mount's ids need so that the files of these owners are
// theirs inside. A name stands for a user with its group and for the group of that
// name; what no name says without saying too much is a pair of ids.
func (a accounts) ids(owners []owner) (names []string) {
	root := slices.ContainsFunc(owners, func(o owner) bool { return o.uid == 0 })
	have := func(gid int) bool {
		return slices.ContainsFunc(names, func(n string) bool {
			u, isUser := find(a.users, func(u account) bool { return u.name == n })
			g, isGroup := find(a.groups, func(g account) bool { return g.name == n })
			return isUser && u.gid == gid || isGroup && g.gid == gid
		})
	}
	for _, o := range owners {
		names = append(names, a.userName(o.uid))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, o := range owners {
		switch {
		case have(o.gid):
		case o.gid == 0 && !root:
			names = append(names, fmt.Sprintf("%d:0", o.uid))
		default:
			names = append(names, a.groupName(o.gid))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
