package resolve

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// mergedFolders are the links of a merged /usr (file-hierarchy(7)).
var mergedFolders = []string{"bin", "lib", "lib64", "sbin"}

// Services know the folder of what runs by its older name, too (file-hierarchy(7)).
const (
	running    = "/run"
	runningToo = "/var/run"
)

// rootNodes lists what must stand in the empty root so that everything can be
// mounted: parent folders, the points of tmpfs and inline files, and the links
// of a merged /usr and of /var/run. Whether an exported path is a folder or a file is known only
// on the host, so its own mount point is made there.
func rootNodes(mounts []manifest.Mount) ([]manifest.Node, error) {
	nodes := map[string]manifest.Node{}
	dir := func(p string) {
		for ; p != "/" && nodes[p].Kind == ""; p = path.Dir(p) {
			nodes[p] = manifest.Node{Path: p, Kind: manifest.Dir}
		}
	}
	covered := map[string]bool{} // mounted over, so nothing below can stand in the root
	for _, p := range []string{"/.sbx", "/dev", "/proc", "/sys"} {
		dir(p)
		covered[p] = true
	}
	for _, m := range mounts {
		k, err := kindOf(m)
		if err != nil {
			return nil, err
		}
		if isBelow(m.Target, covered) {
			continue
		}
		covered[m.Target] = true
		dir(path.Dir(m.Target))
		switch k.point {
		case manifest.Dir:
			dir(m.Target)
		case manifest.File:
			nodes[m.Target] = manifest.Node{Path: m.Target, Kind: manifest.File}
		}
	}
	if covered["/usr"] {
		for _, name := range mergedFolders {
			if p := "/" + name; !covered[p] && nodes[p].Kind == "" {
				nodes[p] = manifest.Node{Path: p, Kind: manifest.Link, Link: "usr/" + name}
			}
		}
	}
	if (covered[running] || nodes[running].Kind != "") && !covered[runningToo] && !isBelow(runningToo, covered) && nodes[runningToo].Kind == "" {
		dir(path.Dir(runningToo))
		nodes[runningToo] = manifest.Node{Path: runningToo, Kind: manifest.Link, Link: running}
	}
	sorted := slices.Collect(maps.Values(nodes))
	slices.SortFunc(sorted, func(a, b manifest.Node) int { return strings.Compare(a.Path, b.Path) })
	return sorted, nil
}

// isBelow says whether p lies inside one of the folders.
func isBelow(p string, folders map[string]bool) bool {
	for p != "/" {
		p = path.Dir(p)
		if folders[p] {
			return true
		}
	}
	return false
}
