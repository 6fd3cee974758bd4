package state

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Owner says in words whose something in the state folder is.
type Owner string

// The owners.
const (
	Sbx     Owner = "who runs sbx"              // root, or the user whose state folder it is
	Shared  Owner = "root, group the sandbox's" // root's, and what root inside may read
	Sandbox Owner = "the sandbox"               // root inside: the first of its ids on the host
	Libvirt Owner = "as libvirt makes it"
	Helper  Owner = "the sandbox's helpers"
	Watched Owner = "root, group the guard's"
	Guards  Owner = "the guard" // of inner walls
	Reader  Owner = "the sandbox, or QEMU's user"
	Peers   Owner = "ids that stand for those of both sandboxes"
	Host    Owner = "as on the host" // a host's file under one more name
)

// Entry is what the folder holds at a path.
type Entry struct {
	Path  string // below the state folder; a part in capitals stands for any name
	Owner Owner
	Mode  fs.FileMode // with its kind; the permissions are 0 where Note says whose they are
	Note  string
}

const dir = fs.ModeDir

// Entries are all that sbx has in its state folder: of two that a path may mean, the
// first. Where one ends in "/…", what stands there is not sbx's to say.
var Entries = []Entry{
	{"", Sbx, dir | 0o711, "the state folder: all may pass, since sandboxes' ids have to, and nobody lists it"},
	{Locks, Sbx, dir | 0o700, "locks, so that one sbx at a time works on a sandbox"},
	{Locks + "/.all", Sbx, 0o600, "what sandboxes share"},
	{Locks + "/NAME", Sbx, 0o600, ""},
	{Claims, Sbx, dir | 0o700, "what each `sbx run` will have to remove, locked as long as it runs"},
	{Claims + "/NAME", Sbx, 0o600, ""},
	{Inits, Sbx, dir | 0o700, "each version of sbx-init that a sandbox uses"},
	{Inits + "/DIGEST", Sbx, 0o755, "hard links in the sandboxes' folders lead to it"},
	{Cache, Sbx, dir | 0o700, "unpacked kernels, initrds and saved machines (`sbx cache`)"},
	{Cache + "/.lock", Sbx, 0o600, ""},
	{Cache + "/.lock-KIND", Sbx, 0o600, ""},
	{Cache + "/KIND", Sbx, dir | 0o700, ""},
	{Cache + "/KIND/KEY", Sbx, 0o444, "hard links in the sandboxes' folders lead to it"},
	{Profiles, Sbx, dir | 0o700, "what profiles came to when their files were last read (`sbx cache`)"},
	{Profiles + "/DIGEST", Sbx, 0o600, ""},
	{Sockets, Sbx, dir | 0o700, "the folders of sockets between sandboxes: nobody else comes at them"},
	{Sockets + "/SERVER", Sbx, dir | 0o700, "those of one sandbox"},
	{Sockets + "/SERVER/NAME", Peers, dir, "both sandboxes see it; the mode is the profile's"},
	{Sockets + "/SERVER/NAME/…", Peers, 0, "what the server makes"},
	{Sockets + "/.gone-N", Sbx, dir | 0o700, "one that is being removed"},
	{Sockets + "/.gone-N/…", Peers, 0, ""},
	{Embed, Sbx, dir | 0o711, "libvirt's driver without libvirtd: one folder for each sbx at a time"},
	{Embed + "/" + EmbedCache, Sbx, dir | 0o711, "what libvirt remembers of QEMU"},
	{Embed + "/" + EmbedCache + "/…", Libvirt, 0, ""},
	{Embed + "/N", Sbx, dir | 0o711, ""},
	{Embed + "/N/.lock", Sbx, 0o600, "locked by the sbx that uses the folder"},
	{Embed + "/N/" + EmbedCache, Sbx, fs.ModeSymlink | 0o777, "leads to ../cache"},
	{Embed + "/N/" + EmbedConfig, Sbx, dir | 0o711, ""},
	{Embed + "/N/" + EmbedConfig + "/qemu.conf", Sbx, 0o644, ""},
	{Embed + "/N/…", Libvirt, 0, ""},
	{Guard, Watched, dir | 0o750, "all that the guard of inner walls can name"},
	{Guard + "/" + GuardLock, Sbx, 0o600, "locked by the guard; not empty while there is to be one"},
	{Guard + "/" + GuardChanges, Sbx, 0o600, "locked by who changes a wall, or looks whether it stands"},
	{Guard + "/" + Walls, Watched, dir | 0o750, ""},
	{Guard + "/" + Walls + "/NAME", Watched, 0o640, "a table of nftables, as it is to be"},
	{Guard + "/" + Notes, Guards, dir | 0o700, ""},
	{Guard + "/" + Notes + "/NAME", Guards, 0o600, "how often that table was mended, and what was wrong"},
	{"NAME", Sbx, dir | 0o711, "a sandbox"},
	{"NAME/" + Channel, Sbx, fs.ModeSocket | 0o600, "the socket of its first process; a machine's is QEMU's and made by libvirt"},
	{"NAME/" + Keeper, Sbx, fs.ModeSocket | 0o600, "the same channel, shared by its keeper or its `sbx run`"},
	{"NAME/" + KeeperLock, Sbx, 0o600, "locked by its keeper, whose process it names"},
	{"NAME/" + Log, Helper, dir | 0o700, "what its service wrote, and what its wall dropped: all that its keeper can name"},
	{"NAME/" + Log + "/FILE", Helper, 0o600, ""},
	{"NAME/" + Bundle, Sbx, 0o600, "what a job's runs are of"},
	{"NAME/" + AppArmor, Sbx, 0o600, "the AppArmor profile that it was last confined by"},
	{"NAME/" + Ended, Sbx, 0o600, "how its command ended, or nothing yet"},
	{"NAME/" + Forward, Sbx, 0o600, "the process that passes published ports on"},
	{"NAME/" + Root, Sandbox, dir | 0o755, "a container's root: mount points and links"},
	{"NAME/" + Root + "/…", Sandbox, 0, "as the profile and its exposed paths have it"},
	{"NAME/" + Stage, Reader, dir | 0o500, "what a sandbox sees of the host, mounted: a container's while it starts, a machine's while it runs"},
	{"NAME/" + Stage + "/…", Host, 0, ""},
	{"NAME/" + Own, Shared, dir | 0o750, "what a container sees as /.sbx"},
	{"NAME/" + Own + "/manifest.json", Shared, 0o440, ""},
	{"NAME/" + Own + "/init", Sbx, 0o755, "a link to .init/DIGEST"},
	{"NAME/" + Files, Shared, dir | 0o750, "a container's files whose content is the profile's"},
	{"NAME/" + Files + "/N", Sandbox, 0, "the mode is the profile's"},
	{"NAME/" + Boot, Sbx, dir | 0o711, "what a machine boots from"},
	{"NAME/" + Boot + "/kernel", Sbx, 0o444, "a link to .cache"},
	{"NAME/" + Boot + "/initrd", Sbx, 0o444, "a copy of one in .cache, with the manifest behind it; of a machine that may be restored, a link to it"},
	{"NAME/" + Boot + "/manifest.json", Sbx, 0o600, "what its first process is told"},
	{"NAME/" + Exports, Sbx, dir | 0o711, "the single files that a machine sees, without root"},
	{"NAME/" + Exports + "/TAG", Sbx, dir | 0o755, ""},
	{"NAME/" + Exports + "/TAG/file", Host, 0, "a hard link to the host's file, or a copy of it"},
}

// Find gives the entry for a path below the state folder.
func Find(name string) (Entry, bool) {
	i := slices.IndexFunc(Entries, func(e Entry) bool { return matches(e.Path, name) })
	if i < 0 {
		return Entry{}, false
	}
	return Entries[i], true
}

func matches(pattern, name string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(name, "/")
	for i, part := range want {
		if part == "…" {
			return len(have) > i
		}
		if i >= len(have) || !matchesPart(part, have[i]) {
			return false
		}
	}
	return len(want) == len(have)
}

// matchesPart: the capitals that end a part stand for any name, which starts with
// no full stop.
func matchesPart(part, name string) bool {
	fixed := strings.TrimRight(part, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	if fixed == part {
		return part == name
	}
	rest, ok := strings.CutPrefix(name, fixed)
	return ok && rest != "" && rest[0] != '.'
}

// Table is the entries in Markdown, for the handbook.
func Table() string {
	var b strings.Builder
	b.WriteString("| path | whose | mode | what it is |\n|---|---|---|---|\n")
	for _, e := range Entries {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", e.shown(), e.Owner, e.permissions(), e.Note)
	}
	return b.String()
}

func (e Entry) shown() string {
	switch {
	case e.Path == "":
		return "."
	case e.Mode.IsDir():
		return e.Path + "/"
	}
	return e.Path
}

func (e Entry) permissions() string {
	if e.Mode.Perm() == 0 || e.Mode&fs.ModeSymlink != 0 {
		return ""
	}
	return fmt.Sprintf("%#o", e.Mode.Perm())
}
