package gittree

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

// blobs is a git that prints objects as they are, without filters: git-cat-file(1)
// with --batch.
type blobs struct {
	mu  sync.Mutex
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startBlobs(ctx context.Context, dir string) (*blobs, error) {
	b := &blobs{cmd: command(ctx, dir, "cat-file", "--batch")}
	var err error
	if b.in, err = b.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	b.out = bufio.NewReader(out)
	return b, b.cmd.Start()
}

// read gives the content of a blob of that size.
func (b *blobs) read(hash string, size int64) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := io.WriteString(b.in, hash+"\n"); err != nil {
		return nil, err
	}
	head, err := b.out.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if want := hash + " blob " + strconv.FormatInt(size, 10); strings.TrimSpace(head) != want {
		return nil, fmt.Errorf("git cat-file printed %q where %q was due", head, want)
	}
	data := make([]byte, size+1) // a newline follows
	if _, err := io.ReadFull(b.out, data); err != nil {
		return nil, err
	}
	return data[:size], nil
}

func (b *blobs) close() {
	b.in.Close()
	_ = b.cmd.Wait() // it ends with its input
}
