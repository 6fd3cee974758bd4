package gittree

import (
	"io/fs"
	"strings"
	"testing"
)

// FuzzTree reads any list at all as that of a tree. What it takes is a file system
// in which every name that was taken is found again, by its own path alone.
func FuzzTree(f *testing.F) {
	f.Add("100644 blob 257cc5642cb1a054f08cc83f2d943e56fd3ebe99       4\ta/b.cue\x00120000 blob 257cc5642cb1a054f08cc83f2d943e56fd3ebe99       4\tlink\x00160000 commit 257cc5642cb1a054f08cc83f2d943e56fd3ebe99       -\tsub")
	f.Add("100644 blob x 1\ta\x00100644 blob x 1\ta/b")
	f.Add("100644 blob x 1\t../a\x00100644 blob x 1\t/a\x00100644 blob x 1\ta\\b")
	f.Fuzz(func(t *testing.T, list string) {
		tree := &Tree{Below: ".", Submodules: map[string]string{}, nodes: map[string]node{}, folders: map[string][]fs.DirEntry{".": nil}}
		for entry := range strings.SplitSeq(list, "\x00") {
			if tree.add(entry) != nil {
				return
			}
		}
		seen := 0
		err := fs.WalkDir(tree, ".", func(name string, e fs.DirEntry, err error) error {
			if err == nil && !fs.ValidPath(name) {
				t.Errorf("%q stands in the tree", name)
			}
			if err == nil && !e.IsDir() {
				seen++
			}
			return err
		})
		if err == nil && seen != len(tree.nodes) { // a name of two things is an error
			t.Errorf("%d of %d files are found", seen, len(tree.nodes))
		}
	})
}
