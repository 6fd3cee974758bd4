package main

import (
	"path/filepath"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// shelf are services with the profiles that ship, of `make test`; `make test-services`
// has the others, and machines.
var shelf = []hosted{
	{profile: "nginx", client: askNginx, wants: isAPage},
	{profile: "redis", client: askRedis, wants: redisKeeps},
}

// What clients ask, and what they are told.
const (
	askNginx   = "curl -fsS -m 60 http://$A/"
	isAPage    = `(?i)<title>`
	askRedis   = "redis-cli -h $A set a b && redis-cli -h $A save"
	redisKeeps = `^OK\nOK\n$`
)

// TestShelf starts the profiles that ship of Debian's services as they are, has a client
// ask each, and finds the host's files with the owners and modes that they had.
func TestShelf(t *testing.T) {
	testhost.Need(t)
	for _, s := range shelf {
		name := s.profile
		if s.machine {
			name += ", a machine"
		}
		if s.tag != "" {
			name += ", " + s.tag
		}
		t.Run(name, func(t *testing.T) { s.run(t, filepath.Join("../../profiles", s.profile+".cue")) })
	}
}
