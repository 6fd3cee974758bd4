package kernel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/arch"
	"github.com/sbx-dev/sbx/internal/hostpath"
)

// Kernel is a kernel image and the tree of its modules.
type Kernel struct {
	Image   string // path of a kernel in one of the forms that distributions ship
	Modules string // the folder that holds modules.dep
	Arch    string // what it is for, "" where the image does not tell
}

// Find chooses a kernel of an architecture below root ("/" but in tests); "" is
// any. What the caller names must be of it. An unnamed image is that of the running
// kernel where it lies on the host, else the newest; an unnamed module tree is the
// one that belongs to the image's release.
func Find(root, image, modules, wanted string) (*Kernel, error) {
	if image == "" {
		return findInstalled(root, modules, wanted)
	}
	head, err := readHead(image)
	if err != nil {
		return nil, err
	}
	of := ArchOf(head)
	if !fits(of, wanted) {
		return nil, wrongArch(image, of, wanted)
	}
	if modules == "" {
		release, err := releaseOf(image, head)
		if err != nil {
			return nil, err
		}
		if modules, err = moduleTree(root, release); err != nil {
			return nil, err
		}
	}
	return &Kernel{Image: image, Modules: modules, Arch: of}, nil
}

// fits says whether a kernel may boot the wanted machine. Of one that does not tell
// what it is for, unpacking it does.
func fits(of, wanted string) bool { return of == "" || wanted == "" || of == wanted }

func wrongArch(image, of, wanted string) error {
	return fmt.Errorf("%s is a kernel for %s, and the machine is %s: name one for it with machine.kernel or --kernel", image, of, wanted)
}

// findInstalled looks where distributions put kernels: beside the modules
// (Fedora, Arch) and in /boot.
func findInstalled(root, modules, wanted string) (*Kernel, error) {
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
			head, err := readHead(image)
			of := ArchOf(head)
			if errors.Is(err, fs.ErrNotExist) || err == nil && !fits(of, wanted) {
				continue
			}
			if modules == "" {
				if modules, err = moduleTree(root, release); err != nil {
					return nil, err
				}
			}
			return &Kernel{Image: image, Modules: modules, Arch: of}, nil
		}
	}
	return nil, noneInstalled(root, wanted)
}

func noneInstalled(root, wanted string) error {
	of, install := "", ""
	if a, err := arch.Named(wanted); err == nil {
		of, install = " of "+a.Name, fmt.Sprintf(" (on Debian: apt install %s)", a.KernelPackage())
	}
	return fmt.Errorf("no kernel%s for a machine to boot: neither %s nor %s holds one; install one%s or name one with machine.kernel and machine.modules, or --kernel and --modules",
		of, filepath.Join(root, "boot"), filepath.Join(root, "lib/modules"), install)
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

// readHead reads as much of an image as tells what it is.
func readHead(image string) ([]byte, error) {
	file, err := hostpath.Read(image)
	if err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	defer file.Close()
	head := make([]byte, 64<<10)
	n, err := file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	return head[:n], nil
}

// Read reads a kernel's image, of maxImage bytes at most.
func Read(image string) ([]byte, error) {
	whole, err := hostpath.ReadAll(image, maxImage)
	if err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	return whole, nil
}

// releaseOf reads the release out of an image's header, or out of the whole image
// where that has it somewhere inside.
func releaseOf(image string, head []byte) (string, error) {
	release := Release(head)
	if isARM(head) {
		whole, err := Read(image)
		if err != nil {
			return "", err
		}
		release = Release(whole)
	}
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
