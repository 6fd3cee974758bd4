package runtime

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/schema"
)

// backend is what differs between kinds of sandbox.
type backend interface {
	// prepare makes the files on the host that the domain names. What an
	// earlier prepare made is replaced.
	prepare(s *sandbox) error
	// start starts the defined domain.
	start(s *sandbox, dom *libvirt.Domain) error
	// clear removes what prepare and start made in the sandbox's folder; it
	// removes nothing that the sandbox itself wrote.
	clear(dir string) error
}

func (r *Runtime) backend(kind schema.Backend) (backend, error) {
	switch kind {
	case schema.LXC:
		return lxc{r}, nil
	case schema.KVM:
		return kvm{r}, nil
	}
	return nil, fmt.Errorf("backend %q is not one that this sbx can apply", kind)
}

// answerLimit is how long a first process may take to answer: a machine boots in
// that time, on a busy host and without hardware virtualisation.
const answerLimit = 2 * time.Minute

// dial connects to the first process of the running sandbox whose folder is dir.
func dial(ctx context.Context, dir string) (*channel.Client, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerLimit, fmt.Errorf("nothing came within %v", answerLimit))
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", filepath.Join(dir, channelSocket))
	if err != nil {
		return nil, fmt.Errorf("cannot reach the sandbox's first process: %w", err)
	}
	return channel.Dial(ctx, conn)
}
