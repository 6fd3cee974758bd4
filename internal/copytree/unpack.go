package copytree

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Unpacking is one tree that comes out of a sandbox.
type Unpacking struct {
	Dir  string // the folder that the copy is made in; it must exist
	From string // what the stream's entries are called: this, or a path below it
	To   string // the copy's name in Dir
	// Replace says that a folder, or a file, of that name may be replaced. Without
	// it, a file is replaced by a file, and all else is an error.
	Replace bool
	// SkipLinks leaves out symbolic links that lead out of the copy. Without it
	// they are an error.
	SkipLinks bool
	Limits    Limits
	// Progress is told, after each part, how many bytes there are by now. It may
	// be nil.
	Progress func(bytes int64)
}

// Unpack writes what a tar stream holds, and gives the symbolic links that it
// left out. Links are made last, so that no entry is ever written through one.
// The copy appears whole or not at all. The stream's padding is read, too; what
// goes on after that is an error.
func (u Unpacking) Unpack(r io.Reader) (skipped []string, err error) {
	p, err := u.newPlace()
	if err != nil {
		return nil, err
	}
	defer p.close()
	t := tree{unpacking: u, root: p.private, made: map[string]byte{}}
	if err := t.read(tar.NewReader(r)); err != nil {
		return nil, err
	}
	if err := readPadding(r); err != nil { // why tar failed, where it did
		return nil, err
	}
	if len(t.made) == 0 {
		return nil, errors.New("the sandbox's tar stream is empty")
	}
	if err := t.link(); err != nil {
		return nil, err
	}
	if t.made[copyName] != tar.TypeDir {
		return t.skipped, p.move()
	}
	folder, err := p.private.OpenRoot(copyName)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	if err := p.move(); err != nil {
		return nil, err
	}
	return t.skipped, t.restrict(folder)
}

// paddingLimit is what may follow the end of an archive: tar fills its last
// record, of 20 blocks unless it was told otherwise.
const paddingLimit = 1 << 20

func readPadding(r io.Reader) error {
	n, err := io.Copy(io.Discard, io.LimitReader(r, paddingLimit))
	if err == nil && n == paddingLimit {
		err = errors.New("the sandbox's tar stream goes on after its end")
	}
	return err
}

// tree is what has been unpacked so far, in a folder that is this process's own.
type tree struct {
	unpacking Unpacking
	root      *os.Root
	made      map[string]byte // by its name in the copy, the tar type of all that the stream named
	links     []*tar.Header
	folders   []*tar.Header
	skipped   []string
	bytes     int64
}

// copyName is what the copy is called in the private folder.
const copyName = "copy"

func (t *tree) read(in *tar.Reader) error {
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the sandbox's tar stream: %w", err)
		}
		if err := t.add(in, h); err != nil {
			return err
		}
	}
}

// add takes one entry. From here on its header's name is the one in the private
// folder.
func (t *tree) add(in io.Reader, h *tar.Header) error {
	name, err := t.place(h)
	if err != nil {
		return err
	}
	if _, twice := t.made[name]; twice {
		return fmt.Errorf("the sandbox's tar stream holds %q twice", h.Name)
	}
	if len(t.made) >= t.unpacking.Limits.Entries {
		return fmt.Errorf("the copy has more than %d files: copy its folders one by one", t.unpacking.Limits.Entries)
	}
	kind, said := h.Typeflag, h.Name
	h.Name = name
	switch kind {
	case tar.TypeDir:
		err = t.root.Mkdir(name, fs.FileMode(h.Mode)&fs.ModePerm|0o700)
		t.folders = append(t.folders, h)
	case tar.TypeSymlink:
		t.links = append(t.links, h)
	case tar.TypeReg:
		err = t.file(in, h)
	case tar.TypeLink:
		err = t.hardLink(said, h)
		kind = tar.TypeReg
	default:
		err = notCopied(said, h.FileInfo().Mode())
	}
	t.made[name] = kind
	return err
}

// place is where an entry belongs in the private folder. It lies in a folder that
// the stream has named before as one.
func (t *tree) place(h *tar.Header) (string, error) {
	name, err := t.inCopy(h.Name)
	if err != nil {
		return "", err
	}
	if name == copyName || t.made[path.Dir(name)] == tar.TypeDir {
		return name, nil
	}
	return "", fmt.Errorf("the sandbox's tar stream holds %q, but no folder for it", h.Name)
}

// inCopy turns a name of the stream into one of the private folder.
func (t *tree) inCopy(said string) (string, error) {
	rest, ok := strings.CutPrefix(strings.TrimSuffix(said, "/"), t.unpacking.From)
	if !ok || rest != "" && !isBelow(rest) {
		return "", fmt.Errorf("the sandbox's tar stream holds %q, which was not asked for", said)
	}
	return copyName + rest, nil
}

// isBelow says whether rest is "/a/b/c", with nothing in it that a kernel would
// read otherwise.
func isBelow(rest string) bool {
	parts := strings.Split(rest, "/")
	return parts[0] == "" && !slices.ContainsFunc(parts[1:], func(p string) bool { return p == "" || p == "." || p == ".." })
}

func (t *tree) file(in io.Reader, h *tar.Header) error {
	if h.Size > t.unpacking.Limits.Bytes-t.bytes {
		return fmt.Errorf("the copy is larger than %d bytes: --max SIZE allows more", t.unpacking.Limits.Bytes)
	}
	f, err := t.root.OpenFile(h.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fs.FileMode(h.Mode)&fs.ModePerm)
	if err != nil {
		return err
	}
	defer f.Close()
	// The wrapper keeps io.Copy from using tar's own ways around a buffer.
	n, err := io.Copy(&sparseWriter{f: f, wrote: t.wrote}, struct{ io.Reader }{in})
	if err != nil {
		return err
	}
	if err := f.Truncate(n); err != nil { // a hole at the end
		return err
	}
	return f.Close()
}

func (t *tree) wrote(n int) {
	t.bytes += int64(n)
	if t.unpacking.Progress != nil {
		t.unpacking.Progress(t.bytes)
	}
}

// hardLink gives a file of this copy one more name.
func (t *tree) hardLink(said string, h *tar.Header) error {
	to, err := t.inCopy(h.Linkname)
	if err != nil {
		return err
	}
	if t.made[to] != tar.TypeReg {
		return fmt.Errorf("the sandbox's tar stream holds %q as another name of %q, which is no file of the copy", said, h.Linkname)
	}
	return t.root.Link(to, h.Name)
}

// link makes the symbolic links.
func (t *tree) link() error {
	for _, h := range t.links {
		switch {
		case staysInside(h):
			if err := t.root.Symlink(h.Linkname, h.Name); err != nil {
				return err
			}
		case t.unpacking.SkipLinks && h.Name != copyName:
			t.skipped = append(t.skipped, t.said(h.Name))
		default:
			return fmt.Errorf("%q is a symbolic link to %q, which leads out of the copy, to a file of this host: copy what it names, or leave out such links by --skip-links", t.said(h.Name), h.Linkname)
		}
	}
	return nil
}

// restrict takes from the copy's folders what their owner is not to have; the
// process's umask has taken its part already. It comes last, since such folders
// can neither be filled nor moved.
func (t *tree) restrict(folder *os.Root) error {
	for _, h := range slices.Backward(t.folders) {
		if h.Mode&0o700 == 0o700 {
			continue
		}
		name := "." + strings.TrimPrefix(h.Name, copyName)
		info, err := folder.Lstat(name)
		if err != nil {
			return err
		}
		if err := folder.Chmod(name, info.Mode()&fs.FileMode(h.Mode)&fs.ModePerm); err != nil {
			return err
		}
	}
	return nil
}

// said is the name that the stream has for a name of the private folder.
func (t *tree) said(name string) string {
	return t.unpacking.From + strings.TrimPrefix(name, copyName)
}

// staysInside says whether a link leads to somewhere in the copy. It climbs only
// before it descends, from where it stands, and not above the copy: so it stays
// inside even where it passes through other links that do. A copy that is itself a
// link has no inside.
func staysInside(link *tar.Header) bool {
	if link.Name == copyName || path.IsAbs(link.Linkname) {
		return false
	}
	depth := strings.Count(link.Name, "/") - 1 // of the link's folder, the copy's own being 0
	down := false
	for part := range strings.SplitSeq(link.Linkname, "/") {
		switch {
		case part == "" || part == ".":
		case part != "..":
			down = true
		case down || depth == 0:
			return false
		default:
			depth--
		}
	}
	return true
}
