package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// CommandUser is whom a container's command runs as on the host; nil when there is
// none. The command is a child of the container's first process, which is the child
// of libvirt's controller; inside is its id there.
func CommandUser(controller, inside int) *uint32 {
	if controller == 0 || inside == 0 {
		return nil
	}
	for _, first := range childrenOf(controller) {
		for _, pid := range childrenOf(first) {
			if uid, id := processIDs(pid); id == inside {
				return uid
			}
		}
	}
	return nil
}

// childrenOf are a process's children, whichever of its threads has made them
// (proc_tid_children(5)).
func childrenOf(pid int) (children []int) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

// processIDs are the user that a process acts as, and its id in the innermost of its
// process namespaces (proc_pid_status(5)).
func processIDs(pid int) (user *uint32, inside int) {
	text, err := os.ReadFile(Dir(pid) + "/status")
	if err != nil {
		return nil, 0
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 2 && fields[0] == "Uid:":
			if uid, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
				effective := uint32(uid)
				user = &effective
			}
		case len(fields) > 1 && fields[0] == "NSpid:":
			inside, _ = strconv.Atoi(fields[len(fields)-1])
		}
	}
	return user, inside
}
