package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/internal/turns"
)

// BenchmarkRun times `sbx run -- /bin/false` in a container, to its exit code, beside a
// bare `virsh create` of the same domain with /bin/false as its first process, to the
// domain's end.
func BenchmarkRun(b *testing.B) {
	sbx := benchedSbx(b)
	domain := bareDomain(b, sbx)
	domain.OS.Init = "/usr/bin/false"
	file := writeDomain(b, domain)
	run := func() { runTo(b, 1, sbx, "run", "--", "/bin/false") }
	run() // the profile is remembered from here on
	turns.Ratio(b,
		turns.Side{Unit: "sbx-ms", Measure: turns.Milliseconds(run)},
		turns.Side{Unit: "virsh-ms", Measure: func() float64 {
			for exec.Command("virsh", "-q", "-c", "lxc:///system", "domid", "bare").Run() == nil && b.Context().Err() == nil {
				time.Sleep(20 * time.Millisecond) // libvirt knows the last one a moment longer
			}
			return turns.Milliseconds(func() {
				runTo(b, 0, "virsh", "-q", "-c", "lxc:///system", "create", file)
				awaitNoContainer(b, "bare")
			})()
		}},
		turns.Goal{AtMost: 1.5})
}

// awaitNoContainer waits until libvirt has taken the container apart: it then removes
// the file that names its helper.
func awaitNoContainer(b *testing.B, name string) {
	b.Helper()
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		if _, err := os.Stat("/run/libvirt/lxc/" + name + ".pid"); errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
	b.Fatalf("the container %s has not ended", name)
}

// bareDomain is a domain like that of a running `sbx run`, called bare. What that one
// sees of the host by mounts of sbx's, which are there while it starts alone, this one has
// by libvirt's.
func bareDomain(b *testing.B, sbx string) *libvirtxml.Domain {
	b.Helper()
	run := exec.Command(sbx, "run", "--name", "model", "--", "cat")
	in, err := run.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := run.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := run.Wait(); err != nil {
			b.Error(err)
		}
	}()
	for exec.Command(sbx, "exec", "model", "--", "true").Run() != nil {
		if run.ProcessState != nil || b.Context().Err() != nil {
			b.Fatal("the model does not run")
		}
		time.Sleep(50 * time.Millisecond)
	}
	var d libvirtxml.Domain
	if err := d.Unmarshal(output(b, "virsh", "-c", "lxc:///system", "dumpxml", "--inactive", "model")); err != nil {
		b.Fatal(err)
	}
	dir := "/var/lib/bare" // which anybody can enter
	output(b, "cp", "-a", "/var/lib/sbx/model", dir)
	b.Cleanup(func() { os.RemoveAll(dir) })
	owner := fmt.Sprintf("%d:%d", d.IDMap.UIDs[0].Target, d.IDMap.GIDs[0].Target)
	output(b, "chown", "-R", owner, dir)
	d.Name, d.UUID, d.Metadata = "bare", "", nil
	files := d.Devices.Filesystems
	files[0].Source.Mount.Dir, files[1].Source.Mount.Dir = dir+"/root", dir+"/sbx"
	for _, seen := range []string{"/usr", "/etc", "/opt"} {
		f := files[1] // as read-only as that
		f.Source = &libvirtxml.DomainFilesystemSource{Mount: &libvirtxml.DomainFilesystemSourceMount{Dir: seen}}
		f.Target = &libvirtxml.DomainFilesystemTarget{Dir: seen}
		files = append(files, f)
	}
	d.Devices.Filesystems = files
	return &d
}

// writeDomain writes the domain's XML into a file and gives its path.
func writeDomain(b *testing.B, d *libvirtxml.Domain) string {
	b.Helper()
	text, err := d.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), d.Name+".xml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// runTo runs a command that must end with the code.
func runTo(b *testing.B, code int, argv ...string) {
	b.Helper()
	c := exec.Command(argv[0], argv[1:]...)
	var said bytes.Buffer
	c.Stderr = &said
	err := c.Run()
	if c.ProcessState == nil || c.ProcessState.ExitCode() != code {
		b.Fatalf("%v: %v\n%s", argv, err, &said)
	}
}

// output runs a command that must succeed, and gives what it prints.
func output(b *testing.B, argv ...string) string {
	b.Helper()
	c := exec.Command(argv[0], argv[1:]...)
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		b.Fatalf("%v: %v\n%s", argv, err, &said)
	}
	return string(out)
}
