// Package listening finds the ports on which processes listen.
package listening

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/internal/draft/known"
)

// Of are the ports of processes, by the host's /proc.
func Of(host fs.FS, pids []string) (all []known.Listens) {
	for _, pid := range pids {
		if _, err := strconv.Atoi(pid); err != nil {
			continue
		}
		own := socketsOf(host, pid)
		if len(own) == 0 {
			continue
		}
		for _, table := range []struct{ file, protocol, state string }{
			{"tcp", "tcp", "0A"}, {"tcp6", "tcp", "0A"}, {"udp", "udp", "07"}, {"udp6", "udp", "07"},
		} {
			data, err := fs.ReadFile(host, path.Join("proc", pid, "net", table.file))
			if err != nil {
				continue
			}
			for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
				w := strings.Fields(lines.Text())
				if len(w) < 10 || w[3] != table.state || !own["socket:["+w[9]+"]"] {
					continue
				}
				address, number, _ := strings.Cut(w[1], ":")
				if n, err := strconv.ParseUint(number, 16, 16); err == nil && n > 0 {
					l := known.Listens{Why: "it listens there now", Local: isLoopback(address)}
					if table.protocol == "tcp" {
						l.TCP = int(n)
					} else {
						l.UDP = int(n)
					}
					all = append(all, l)
				}
			}
		}
	}
	return all
}

// isLoopback says whether an address of the kernel's tables, whose words of four bytes
// stand in this processor's order, is the host's own: 127.0.0.0/8 or ::1.
func isLoopback(words string) bool {
	raw, err := hex.DecodeString(words)
	if err != nil || len(raw)%4 != 0 {
		return false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	address, ok := netip.AddrFromSlice(raw)
	return ok && address.Unmap().IsLoopback()
}

// socketsOf are the sockets that a process has open, as its links call them.
func socketsOf(host fs.FS, pid string) map[string]bool {
	folder := path.Join("proc", pid, "fd")
	entries, err := fs.ReadDir(host, folder)
	if err != nil {
		return nil
	}
	own := map[string]bool{}
	for _, e := range entries {
		if to, err := fs.ReadLink(host, path.Join(folder, e.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			own[to] = true
		}
	}
	return own
}
