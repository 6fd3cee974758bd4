package runtime

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// mountsBelow lists the mount points inside dir, dir itself not among them, in
// this process's mount namespace (proc_pid_mountinfo(5)).
func mountsBelow(dir string) ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var points []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			return nil, fmt.Errorf("/proc/self/mountinfo: unexpected line %q", lines.Text())
		}
		point := unescape(fields[4])
		if point != dir && isInside(point, dir) {
			points = append(points, point)
		}
	}
	return points, lines.Err()
}

// isInside says whether path is dir or lies in it; both are absolute and clean.
func isInside(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// unescape replaces the octal escapes by which the kernel writes spaces, tabs,
// newlines and backslashes in a path.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
