package mac

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// selinuxFolder is where the kernel shows SELinux's policy and answers for it.
const selinuxFolder = "sys/fs/selinux"

// HasSELinux says whether the kernel mediates by SELinux, or would if it enforced.
func (h Host) HasSELinux() bool {
	_, err := os.Stat(h.path(selinuxFolder + "/enforce"))
	return err == nil
}

// SELinuxEnforces says whether SELinux denies what its policy does not allow, and not
// only tells of it.
func (h Host) SELinuxEnforces() bool {
	mode, err := os.ReadFile(h.path(selinuxFolder + "/enforce"))
	return err == nil && strings.TrimSpace(string(mode)) == "1"
}

// KnowsContext says whether something can have this context (user:role:type:range) by
// SELinux's policy.
func (h Host) KnowsContext(context string) bool {
	return tell(h.path(selinuxFolder+"/context"), context) == nil
}

// Allows says whether SELinux's policy lets who has one context do something to a "dir"
// or "file" that has another.
func (h Host) Allows(subject, object, class, permission string) (bool, error) {
	folder := h.path(selinuxFolder + "/class/" + class)
	number, err := readNumber(folder + "/index")
	if err != nil {
		return false, err
	}
	bit, err := readNumber(folder + "/perms/" + permission)
	if err != nil {
		return false, err
	}
	f, err := os.OpenFile(h.path(selinuxFolder+"/access"), os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%s %s %d", subject, object, number); err != nil {
		return false, err
	}
	answer := make([]byte, 256)
	n, err := f.Read(answer)
	if err != nil {
		return false, err
	}
	var allowed uint32
	if _, err := fmt.Sscanf(string(answer[:n]), "%x", &allowed); err != nil {
		return false, err
	}
	return allowed&(1<<(bit-1)) != 0, nil
}

func readNumber(file string) (n uint, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscan(string(text), &n)
	return n, err
}

// PlainSockets runs f, in whose thread sockets are made without the categories that
// this process has: whoever has fewer may use no socket that has them, and what a
// sandbox accepts has those of the other end (selinux_socket_unix_stream_connect in
// security/selinux/hooks.c). Somebody at a terminal has all there are.
func (h Host) PlainSockets(f func() error) error {
	if !h.HasSELinux() {
		return f()
	}
	own, err := h.ownContext()
	if err != nil {
		return fmt.Errorf("cannot learn its own SELinux context: %w", err)
	}
	lowest, _, ranged := strings.Cut(own, "-")
	if !ranged {
		return f()
	}
	attr := h.path("proc/thread-self/attr/sockcreate")
	runtime.LockOSThread()
	if err := tell(attr, lowest); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("SELinux does not let sbx make sockets of %s: %w", lowest, err)
	}
	defer func() {
		if tell(attr, "\n") == nil { // its own again; else the thread ends with the goroutine
			runtime.UnlockOSThread()
		}
	}()
	return f()
}

// PlainPipes says whether the pipes that this process makes have no categories. They have
// those of who makes them, whatever is said of sockets and files (inode_doinit_with_dentry
// in security/selinux/hooks.c, fs_use_task of the policy), and a sandbox may use none
// with categories that it has not.
func (h Host) PlainPipes() bool {
	if !h.HasSELinux() {
		return true
	}
	own, err := h.ownContext()
	if err != nil {
		return false
	}
	fields := strings.SplitN(own, ":", 4) // user, role, type and range, which some policies have not
	return len(fields) < 4 || !strings.ContainsAny(fields[3], "-:")
}

// ownContext is the SELinux context of this thread.
func (h Host) ownContext() (string, error) {
	own, err := os.ReadFile(h.path("proc/thread-self/attr/current"))
	return strings.TrimRight(string(own), "\x00\n"), err
}

// tell writes to one of the kernel's files.
func tell(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}
