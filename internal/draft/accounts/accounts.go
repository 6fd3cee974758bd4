// Package accounts knows the users and groups of a host, and how a profile names whose
// files are.
package accounts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Accounts are the users and groups of a host.
type Accounts struct {
	users  []Account
	groups []Account // gid alone
}

// Account is a user with its group, or a group.
type Account struct {
	Name     string
	UID, GID int
	Home     string // "" of a group
}

// Parse reads what stands in /etc/passwd and in /etc/group.
func Parse(passwd, group string) (a Accounts) {
	for _, f := range lines(passwd, 4) {
		uid, err1 := strconv.Atoi(f[2])
		gid, err2 := strconv.Atoi(f[3])
		if err1 == nil && err2 == nil {
			u := Account{Name: f[0], UID: uid, GID: gid}
			if len(f) > 5 {
				u.Home = f[5]
			}
			a.users = append(a.users, u)
		}
	}
	for _, f := range lines(group, 3) {
		if gid, err := strconv.Atoi(f[2]); err == nil {
			a.groups = append(a.groups, Account{Name: f[0], GID: gid})
		}
	}
	return a
}

func lines(text string, fields int) (all [][]string) {
	for line := range strings.Lines(text) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) >= fields {
			all = append(all, f)
		}
	}
	return all
}

// User finds a user by name or id.
func (a Accounts) User(name string) (Account, bool) {
	return find(a.users, func(u Account) bool { return u.Name == name || strconv.Itoa(u.UID) == name })
}

// Group finds a group by name or id.
func (a Accounts) Group(name string) (gid int, ok bool) {
	g, ok := find(a.groups, func(g Account) bool { return g.Name == name || strconv.Itoa(g.GID) == name })
	return g.GID, ok
}

func find(all []Account, is func(Account) bool) (Account, bool) {
	i := slices.IndexFunc(all, is)
	if i < 0 {
		return Account{}, false
	}
	return all[i], true
}

// Owner is whose a file is.
type Owner struct{ UID, GID int }

// Describe is an owner as ls shows it.
func (a Accounts) Describe(o Owner) string { return a.userName(o.UID) + ":" + a.groupName(o.GID) }

func (a Accounts) userName(uid int) string {
	u, ok := find(a.users, func(u Account) bool { return u.UID == uid })
	if !ok {
		return strconv.Itoa(uid)
	}
	return u.Name
}

func (a Accounts) groupName(gid int) string {
	g, ok := find(a.groups, func(g Account) bool { return g.GID == gid })
	if !ok {
		return strconv.Itoa(gid)
	}
	return g.Name
}

// IDs are the names that a mount's ids need so that the files of these owners are
// theirs inside. A name stands for a user with its group and for the group of that
// name; what no name says without saying too much is a pair of ids.
func (a Accounts) IDs(owners []Owner) (names []string) {
	root := slices.ContainsFunc(owners, func(o Owner) bool { return o.UID == 0 })
	have := func(gid int) bool {
		return slices.ContainsFunc(names, func(n string) bool {
			u, isUser := find(a.users, func(u Account) bool { return u.Name == n })
			g, isGroup := find(a.groups, func(g Account) bool { return g.Name == n })
			return isUser && u.GID == gid || isGroup && g.GID == gid
		})
	}
	for _, o := range owners {
		names = append(names, a.userName(o.UID))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, o := range owners {
		switch {
		case have(o.GID):
		case o.GID == 0 && !root:
			names = append(names, fmt.Sprintf("%d:0", o.UID))
		default:
			names = append(names, a.groupName(o.GID))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
