package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Kernel is a kernel image and the tree of its modules.
type Kernel struct {
	Image   string // path of a bzImage or of an uncompressed ELF kernel
	Modules string // the folder that holds modules.dep
}

// Find chooses a kernel below root ("/" but in tests). What the caller names is
// taken as it is. An unnamed image is that of the running kernel where it lies
// on the host, else the newest; an unnamed module tree is the one that belongs
// to the image's release.
func Find(root, image, modules string) (*Kernel, error) {
	if image == "" {
		return findInstalled(root, modules)
	}
	if modules == "" {
		release, err := releaseOf(image)
		if err != nil {
			return nil, err
		}
		if modules, err = moduleTree(root, release); err != nil {
			return nil, err
		}
	}
	return &Kernel{Image: image, Modules: modules}, nil
}

// findInstalled looks where distributions put kernels: beside the modules
// (Fedora, Arch) and in /boot.
func findInstalled(root, modules string) (*Kernel, error) {
	releases, err := installed(root)
	if err != nil {
		return nil, err
	}
	for _, release := range releases {
		for _, image := range []string{
			filepath.Join(root, "boot", "vmlinuz-"+release),
			filepath.Join(root, "lib/modules", release, "vmlinuz"),
			filepath.Join(root, "usr/lib/modules", release, "vmlinuz"),
		} {
			if _, err := os.Stat(image); err != nil {
				continue
			}
			if modules == "" {
				if modules, err = moduleTree(root, release); err != nil {
					return nil, err
				}
			}
			return &Kernel{Image: image, Modules: modules}, nil
		}
	}
	return nil, fmt.Errorf("no kernel for a machine to boot: neither %s nor %s holds one; install one (on Debian: apt install linux-image-amd64) or name one with machine.kernel and machine.modules, or --kernel and --modules",
		filepath.Join(root, "boot"), filepath.Join(root, "lib/modules"))
}

// installed lists the releases that have a module tree: the running one first,
// then from the newest on.
func installed(root string) ([]string, error) {
	var releases []string
	for _, folder := range []string{"lib/modules", "usr/lib/modules"} {
		entries, err := os.ReadDir(filepath.Join(root, folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("looking for kernels: %w", err)
		}
		for _, e := range entries {
			if !slices.Contains(releases, e.Name()) {
				releases = append(releases, e.Name())
			}
		}
	}
	running := runningRelease()
	slices.SortFunc(releases, func(a, b string) int {
		switch {
		case a == running:
			return -1
		case b == running:
			return 1
		}
		return compareVersions(b, a)
	})
	return releases, nil
}

func runningRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// releaseOf reads the release out of an image's header.
func releaseOf(image string) (string, error) {
	file, err := os.Open(image)
	if err != nil {
		return "", fmt.Errorf("kernel: %w", err)
	}
	defer file.Close()
	head := make([]byte, 64<<10)
	n, _ := file.ReadAt(head, 0)
	release := Release(head[:n])
	if release == "" || strings.ContainsAny(release, "/\x00") {
		return "", fmt.Errorf("%s does not say which release it is: name its module tree with machine.modules or --modules", image)
	}
	return release, nil
}

// moduleTree is the folder of a release's modules.
func moduleTree(root, release string) (string, error) {
	for _, folder := range []string{"lib/modules", "usr/lib/modules"} {
		tree := filepath.Join(root, folder, release)
		if _, err := os.Stat(tree); err == nil {
			return tree, nil
		}
	}
	return "", fmt.Errorf("kernel %s has no module tree at %s: install it, or name it with machine.modules or --modules",
		release, filepath.Join(root, "lib/modules", release))
}

// compareVersions orders releases as people do: runs of digits by their value,
// the rest by its bytes.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		na, ra := splitRun(a)
		nb, rb := splitRun(b)
		da, db := strings.TrimLeft(na, "0"), strings.TrimLeft(nb, "0")
		if isDigit(a[0]) && isDigit(b[0]) && len(da) != len(db) {
			return len(da) - len(db)
		}
		if c := strings.Compare(da, db); c != 0 {
			return c
		}
		a, b = ra, rb
	}
	return len(a) - len(b)
}

// splitRun cuts off the leading run of digits or of anything else.
func splitRun(s string) (run, rest string) {
	i := 1
	for i < len(s) && isDigit(s[i]) == isDigit(s[0]) {
		i++
	}
	return s[:i], s[i:]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
