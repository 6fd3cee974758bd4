package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/copytree"
)

// cpCmd copies between the host and a sandbox.
type cpCmd struct {
	hostFlags
	User string `short:"u" placeholder:"USER[:GROUP]" help:"Read and write as this user of the sandbox. (default: the profile's)"`
	From string `arg:"" help:"A path here, or SANDBOX:PATH."`
	To   string `arg:"" help:"A path here, or SANDBOX:PATH."`
}

func (cpCmd) Help() string {
	return `Copies a file, or a folder with all that is in it, into a sandbox that runs or out
of it. Where the target is a folder that exists, the copy is made in it. The copy
belongs to whoever makes it. The sandbox must have the program tar.

Examples:
  sbx cp apache:/var/log/apache2/error.log .
  sbx cp index.html apache:/var/www/html/`
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

func (c *cpCmd) Run(a *app) error {
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
	host := c.open(a)
	defer host.Close()
	client, err := host.Attach(a.ctx, name)
	if err != nil {
		return err
	}
	defer client.Close()
	t := transfer{a.ctx, client, c.User, a.stderr}
	if from.sandbox != "" {
		return t.out(path.Clean(from.path), to.path)
	}
	return t.in(from.path, to.path)
}

// transfer copies by a tar program inside the sandbox.
type transfer struct {
	ctx    context.Context
	client *channel.Client
	user   string
	stderr io.Writer
}

// tar runs a command inside that must succeed.
func (t transfer) tar(stdin io.Reader, stdout io.Writer, argv ...string) error {
	exit, err := t.exec(stdin, stdout, argv...)
	if err == nil && exit != (channel.Exit{}) {
		err = fmt.Errorf("tar failed inside the sandbox: %s", exit)
	}
	return err
}

func (t transfer) exec(stdin io.Reader, stdout io.Writer, argv ...string) (channel.Exit, error) {
	command := channel.Command{Argv: argv, User: t.user, Workdir: "/"}
	return t.client.Exec(t.ctx, command, channel.Stdio{Stdin: stdin, Stdout: stdout, Stderr: t.stderr})
}

// out copies from the sandbox to a path here.
func (t transfer) out(from, to string) error {
	dir, name := filepath.Dir(to), filepath.Base(to)
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		dir, name = to, path.Base(from)
	}
	if name == "/" || path.Base(from) == "/" {
		return errors.New("the root itself cannot be copied: name what is in it")
	}
	r, w := io.Pipe()
	unpacked := make(chan error, 1)
	go func() {
		err := copytree.Unpack(r, dir, path.Base(from), name)
		_, _ = io.Copy(io.Discard, r) // tar pads its stream
		r.CloseWithError(err)
		unpacked <- err
	}()
	err := t.tar(nil, w, "tar", "-C", path.Dir(from), "-cf", "-", "--", path.Base(from))
	w.Close()
	if end := <-unpacked; err == nil {
		err = end
	}
	return err
}

// in copies a path here into the sandbox.
func (t transfer) in(from, to string) error {
	if _, err := os.Lstat(from); err != nil {
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
	err = t.tar(r, nil, "tar", "-C", dir, "--no-same-owner", "-xf", "-")
	r.Close()
	if end := <-packed; err == nil {
		err = end
	}
	return err
}
