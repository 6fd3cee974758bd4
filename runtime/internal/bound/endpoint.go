package bound

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/internal/within"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// refuseEndpoint refuses a socket, FIFO or device of the host that the profile does
// not call one: a read-only mount keeps nobody from speaking with who listens there.
func refuseEndpoint(m manifest.Mount, source *stage.Source) error {
	kind := source.Endpoint()
	if kind == "" || m.Sockets || m.Kind != manifest.Export {
		return nil
	}
	return fault.New(diag.NoSource, "%s is %s, and read-only does not keep the sandbox from speaking with whoever listens there: where it is to, name it in mounts with sockets: true (sbx run --socket)", m.Source, kind)
}

const (
	// maxLooked bounds the entries of an exposed folder that are looked at, those
	// near its top first.
	maxLooked = 5000

	// maxNamed is how many endpoints of a folder are told by name.
	maxNamed = 5
)

// SayEndpoints tells of the sockets and FIFOs of others in what a container sees of
// the host, unless the profile says that they are known.
func (s *Sandbox) SayEndpoints() {
	listening := listeners()
	for _, m := range s.Manifest.Mounts {
		source := s.Host[m.Target]
		if source == nil || m.Sockets || !source.IsDir() {
			continue
		}
		found := s.endpoints(source.Real, listening)
		if len(found) == 0 {
			continue
		}
		more := ""
		if n := len(found) - maxNamed; n > 0 {
			found, more = found[:maxNamed], fmt.Sprintf(", and %d more", n)
		}
		s.Log(fmt.Sprintf("%s: read-only does not keep the sandbox from speaking with whoever listens at %s%s: expose what is beside it path by path, or say that it is known with sockets: true in mounts",
			s.Name, strings.Join(found, ", "), more))
	}
}

// endpoints are the sockets and FIFOs at and below a folder that are not of the
// sandbox's own making: those that somebody listens at, however deep they lie, and
// those among its first entries.
func (s *Sandbox) endpoints(dir string, listening []string) (found []string) {
	add := func(at string) {
		info, err := os.Lstat(at)
		if err == nil && info.Mode()&(fs.ModeSocket|fs.ModeNamedPipe) != 0 && !s.owns(info) && !slices.Contains(found, at) {
			found = append(found, at)
		}
	}
	for _, at := range listening {
		if within.Dir(at, dir) {
			add(at)
		}
	}
	folders, looked := []string{dir}, 0
	for len(folders) > 0 && looked < maxLooked {
		entries, err := firstEntries(folders[0], maxLooked-looked)
		if err != nil {
			entries = nil // closed to this user, or gone
		}
		for _, e := range entries {
			at := filepath.Join(folders[0], e.Name())
			switch {
			case e.IsDir():
				folders = append(folders, at)
			case e.Type()&(fs.ModeSocket|fs.ModeNamedPipe) != 0:
				add(at)
			}
		}
		folders, looked = folders[1:], looked+len(entries)
	}
	slices.Sort(found)
	return found
}

// firstEntries are as many entries of a folder at most, in no order. Others may fill
// the folder, or put something else in its place: what is no folder is not opened.
func firstEntries(path string, n int) ([]fs.DirEntry, error) {
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(n)
	if errors.Is(err, io.EOF) { // it is empty
		err = nil
	}
	return entries, err
}

// owns says whether a file is of one of the sandbox's own ids.
func (s *Sandbox) owns(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	base := s.Base()
	return ok && base != 0 && int(stat.Uid) >= base && int(stat.Uid) < base+compiler.IDCount
}

// listeners are the paths that sockets of this host were bound to (unix(7)), as
// those who bound them wrote them: what is there has to be looked at.
func listeners() (paths []string) {
	file, err := os.Open("/proc/net/unix")
	if err != nil {
		return nil
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if at := strings.Index(lines.Text(), " /"); at >= 0 {
			paths = append(paths, filepath.Clean(lines.Text()[at+1:]))
		}
	}
	return paths
}
