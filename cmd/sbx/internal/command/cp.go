package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/copytree"
	"github.com/sbx-dev/sbx/schema"
)

// Cp copies between the host and a sandbox.
type Cp struct {
	verb.HostFlags
	User      string      `short:"u" placeholder:"USER[:GROUP]" help:"Read and write as this user of the sandbox. (default: the profile's)"`
	Max       schema.Size `placeholder:"SIZE" help:"Refuse to copy more than this out of a sandbox. (default: 8GiB)"`
	Replace   bool        `help:"Out of a sandbox: replace a folder that is there, in place of refusing it."`
	SkipLinks bool        `help:"Out of a sandbox: leave out symbolic links that lead out of the copy, and say which."`
	From      string      `arg:"" help:"A path here, or SANDBOX:PATH."`
	To        string      `arg:"" help:"A path here, or SANDBOX:PATH."`
}

func (Cp) Help() string {
	return `Copies a file, or a folder with all that is in it, into a sandbox that runs or out
of it. Where the target is a folder that exists, the copy is made in it. The copy
belongs to whoever makes it. The sandbox must have the program tar.

What comes out of a sandbox is hostile: it appears whole or not at all, and under
no other name than the copy's. FIFOs, sockets and devices are refused, and so are
links to files of this host, unless --skip-links leaves them out.

Examples:
  sbx cp apache:/var/log/apache2/error.log .
  sbx cp notes.txt apache:/tmp/`
}

// place is a path here or in a sandbox.
type place struct{ sandbox, path string }

// parsePlace reads SANDBOX:PATH, or a path here: one with a slash before the
// first colon is never a sandbox's.
func parsePlace(text string) place {
	name, inside, found := strings.Cut(text, ":")
	if !found || strings.Contains(name, "/") {
		return place{path: text}
	}
	return place{name, inside}
}

func (c *Cp) Run(a *verb.App) error {
	from, to := parsePlace(c.From), parsePlace(c.To)
	if (from.sandbox == "") == (to.sandbox == "") {
		return errors.New("one of the two must be SANDBOX:PATH, and the other a path here")
	}
	name := from.sandbox + to.sandbox
	inside := from.path
	if from.sandbox == "" {
		inside = to.path
	}
	if !path.IsAbs(inside) {
		return fmt.Errorf("%s: the path inside a sandbox must be absolute", name)
	}
	host := c.Open(a)
	defer host.Close()
	client, err := host.Attach(a.Ctx, name)
	if err != nil {
		return err
	}
	defer client.Close()
	t := transfer{a.Ctx, client, c.User, a.Stderr}
	if from.sandbox == "" {
		return t.in(from.path, to.path)
	}
	u, err := c.unpacking(path.Clean(from.path), to.path)
	if err != nil {
		return err
	}
	meter := say.NewMeter(a.Stderr)
	defer meter.Clear()
	u.Progress = meter.Show
	return t.out(path.Dir(path.Clean(from.path)), u)
}

// unpacking is what the flags say of a copy out of a sandbox.
func (c *Cp) unpacking(from, to string) (u copytree.Unpacking, err error) {
	u = copytree.Unpacking{
		Dir: filepath.Dir(to), From: path.Base(from), To: filepath.Base(to),
		Replace: c.Replace, SkipLinks: c.SkipLinks, Limits: copytree.DefaultLimits,
	}
	if c.Max != 0 {
		u.Limits.Bytes = int64(c.Max)
	}
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		u.Dir, u.To = to, path.Base(from)
	}
	if u.To == "/" || u.From == "/" {
		return u, errors.New("the root itself cannot be copied: name what is in it")
	}
	return u, nil
}

// transfer copies by a tar program inside the sandbox.
type transfer struct {
	ctx    context.Context
	client *channel.Client
	user   string
	stderr io.Writer
}

// noTimestamps keeps GNU tar from warning of files from the future: a machine's
// clock may be a little behind the host's. Other tars do not know the variable.
const noTimestamps = "TAR_OPTIONS=--warning=no-timestamp"

func (t transfer) exec(stdin io.Reader, stdout io.Writer, argv ...string) (channel.Exit, error) {
	command := channel.Command{Argv: argv, Env: []string{noTimestamps}, User: t.user, Workdir: "/"}
	said := say.NewLines(t.stderr)
	defer said.Flush()
	return t.client.Exec(t.ctx, command, channel.Stdio{Stdin: stdin, Stdout: stdout, Stderr: said})
}

// tarChanged is GNU tar's exit code where a file changed while it was read, as a
// log does.
const tarChanged = 1

// out copies from a folder of the sandbox to a path here.
func (t transfer) out(dir string, u copytree.Unpacking) error {
	ctx, cancel := context.WithCancelCause(t.ctx)
	defer cancel(nil)
	t.ctx = ctx
	r, w := io.Pipe()
	unpacked := make(chan error, 1)
	go func() {
		skipped, err := u.Unpack(r)
		for _, name := range skipped {
			say.Fprintf(t.stderr, "sbx: left out the link %q\n", name)
		}
		if err != nil {
			cancel(err) // the sandbox is not to go on
		}
		r.CloseWithError(err)
		unpacked <- err
	}()
	exit, err := t.exec(nil, w, "tar", "-C", dir, "-cf", "-", "--", u.From)
	if err == nil && exit != (channel.Exit{}) && exit != (channel.Exit{Code: tarChanged}) {
		err = tarFailed(exit)
	}
	w.CloseWithError(err) // after which nothing appears, where that is an error
	return cmp.Or(err, <-unpacked)
}

func tarFailed(exit channel.Exit) error {
	return fmt.Errorf("tar failed inside the sandbox: %s", exit)
}

// in copies a path here into the sandbox.
func (t transfer) in(from, to string) error {
	if err := copytree.Check(from); err != nil { // before anything is changed
		return err
	}
	whole, err := filepath.Abs(from)
	if err != nil {
		return err
	}
	dir, name := path.Dir(path.Clean(to)), path.Base(to)
	isDir, err := t.exec(nil, nil, "test", "-d", to)
	if err != nil {
		return err
	}
	if isDir == (channel.Exit{}) {
		dir, name = to, filepath.Base(whole)
	}
	r, w := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := copytree.Pack(w, whole, name)
		w.CloseWithError(err)
		packed <- err
	}()
	exit, err := t.exec(r, nil, "tar", "-C", dir, "--no-same-owner", "-xf", "-")
	if err == nil && exit != (channel.Exit{}) {
		err = tarFailed(exit)
	}
	r.Close()
	if end := <-packed; err == nil {
		err = end
	}
	return err
}
