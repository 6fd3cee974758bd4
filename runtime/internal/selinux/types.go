package selinux

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/pattern"
)

// isType is what a type can be called; what else stands in a label is nobody's.
var isType = pattern.Of(`^[a-zA-Z][a-zA-Z0-9_.-]*$`)

// typesBelow are the types that paths of the host have, with all that is below them, each
// once and sorted. A path that is not there has none: up says so in its own words.
func typesBelow(paths []string) ([]string, error) {
	found := map[string]bool{}
	for _, path := range paths {
		types, err := walked.of(path)
		if err != nil {
			return nil, err
		}
		maps.Copy(found, types)
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// walked remembers what was found below a path, which many profiles of one plan have in
// common.
var walked = walks{found: map[string]map[string]bool{}}

type walks struct {
	sync.Mutex
	found map[string]map[string]bool
}

func (w *walks) of(path string) (map[string]bool, error) {
	w.Lock()
	defer w.Unlock()
	if types := w.found[path]; types != nil {
		return types, nil
	}
	types := map[string]bool{}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		if err := walk(nil, real, types); err != nil && !gone(err) {
			return nil, err
		}
	}
	w.found[path] = types
	return types, nil
}

// gone says whether a path was not there, or no longer: others change folders meanwhile.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ESTALE)
}

// walk notes the type of name in a folder (nil: a path of the host), and of all below,
// through no link: what somebody puts in a folder's place meanwhile leads nowhere else.
func walk(around *os.File, name string, types map[string]bool) error {
	at := unix.AT_FDCWD
	if around != nil {
		at = int(around.Fd())
	}
	fd, err := unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	note(f, types)
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil || info.Mode&unix.S_IFMT != unix.S_IFDIR {
		return err
	}
	fd, err = unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(512)
		for _, name := range names {
			if err := walk(dir, name, types); err != nil && !gone(err) {
				return fmt.Errorf("%s: %w", filepath.Join(dir.Name(), name), err)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func note(f *os.File, types map[string]bool) {
	var text [256]byte
	n, err := unix.Getxattr(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), "security.selinux", text[:])
	if err != nil {
		return
	}
	if kind := kindOf(strings.TrimRight(string(text[:n]), "\x00")); isType().MatchString(kind) {
		types[kind] = true
	}
}
