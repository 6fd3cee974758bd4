package bound

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/hostpath"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// ReadSecrets finds the values of the sandbox's secrets on this host, once. No
// error holds any part of a value.
func (s *Sandbox) ReadSecrets(ctx context.Context) error {
	if len(s.secrets) == len(s.sources) {
		return nil
	}
	var list []channel.Secret
	for _, name := range slices.Sorted(maps.Keys(s.sources)) {
		value, err := readSecret(ctx, s.sources[name])
		if err != nil {
			return fault.New(diag.NoSecret, "secrets.%s: %w", name, err)
		}
		if len(value) > manifest.MaxSecret {
			return fault.New(diag.NoSecret, "secrets.%s: it is longer than the %d bytes that a secret may hold", name, manifest.MaxSecret)
		}
		list = append(list, channel.Secret{Name: name, Value: value})
	}
	s.secrets = list
	return nil
}

// readSecret reads one byte more than a secret may hold, so that a longer one is
// seen to be too long.
func readSecret(ctx context.Context, source schema.Secret) ([]byte, error) {
	const limit = manifest.MaxSecret + 1
	switch {
	case source.File != "":
		f, err := hostpath.Read(source.File)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, limit))
	case source.Env != "":
		value, ok := os.LookupEnv(source.Env)
		if !ok {
			return nil, fault.New(diag.NoSecret, "sbx was not given the environment variable %s", source.Env)
		}
		return []byte(value), nil
	}
	out := &bounded{left: limit}
	command := exec.CommandContext(ctx, source.Command[0], source.Command[1:]...)
	command.Stdout = out
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: run it by hand to see why", source.Command[0], err)
	}
	return out.Bytes(), nil
}

// bounded keeps the first bytes that are written to it.
type bounded struct {
	bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	keep := p[:min(len(p), b.left)]
	b.left -= len(keep)
	b.Buffer.Write(keep)
	return len(p), nil
}

// SendSecrets hands a sandbox that waits for them its secrets.
func (s *Sandbox) SendSecrets(ctx context.Context, client *channel.Client) error {
	if len(s.sources) == 0 {
		return nil
	}
	status, err := client.Status(ctx)
	if err != nil || status.State != channel.Waiting {
		return err
	}
	if err := s.ReadSecrets(ctx); err != nil {
		return err
	}
	for _, secret := range s.secrets {
		if err := client.SendSecret(ctx, secret); err != nil {
			return fault.New(diag.NoSecret, "secrets.%s: %w", secret.Name, err)
		}
	}
	return nil
}
