package resolve

import (
	"fmt"
	"strings"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/schema"
)

// resolvConf is where programs look for name servers (resolv.conf(5)).
const resolvConf = "/etc/resolv.conf"

// nameServers is the file that names those of the profile's networks, if any.
func nameServers(p *schema.Profile) []manifest.Mount {
	var content strings.Builder
	for _, n := range Interfaces(p) {
		for _, server := range n.DNS {
			fmt.Fprintln(&content, "nameserver", server)
		}
	}
	if content.Len() == 0 {
		return nil
	}
	return []manifest.Mount{{Kind: manifest.Inline, Target: resolvConf, Content: content.String(), Mode: 0o644}}
}
