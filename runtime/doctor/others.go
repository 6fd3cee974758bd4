package doctor

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
)

// otherSbx looks for another program of the name that somebody would run who types
// sbx: there is a product with such a command, and an sbx of make install may stand
// before that of the package.
func otherSbx(context.Context, host) Check {
	self, err := os.Executable()
	if err != nil {
		return fail("", "%v", err)
	}
	return firstSbx(self, os.Getenv("PATH"))
}

func firstSbx(self, path string) Check {
	own, err := os.Stat(self)
	if err != nil {
		return warn("run the sbx that was put in its place", "%v", err)
	}
	for _, dir := range filepath.SplitList(path) {
		first := filepath.Join(dir, "sbx")
		if _, err := exec.LookPath(first); err != nil || !filepath.IsAbs(dir) {
			continue
		}
		if found, err := os.Stat(first); err == nil && !os.SameFile(own, found) {
			return warn("remove that one, or put "+filepath.Dir(self)+" before "+dir+" in PATH", "sbx is %s by PATH, and this is %s", first, self)
		}
		return ok("%s", self)
	}
	return ok("%s, which is not in PATH", self)
}
