package runtime

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/schema"
)

// What Measure takes at most for each sandbox: to compare processor time, and to
// be answered by the first process.
const (
	sampleTime = 100 * time.Millisecond
	answerTime = time.Second
)

// Measurement is what changes from one moment to the next. What could not be
// found out is zero.
type Measurement struct {
	Service  channel.State `json:"service,omitempty"` // of the command, as the first process sees it
	Restarts int           `json:"restarts"`          // of the command
	Uptime   int64         `json:"uptime"`            // seconds since the sandbox has started
	Memory   int64         `json:"memory"`            // bytes in use
	CPU      float64       `json:"cpu"`               // processors in use: 0.5 is half of one
	Drifted  bool          `json:"drifted"`           // somebody else has changed it; Drift says what
}

// Measure fills in the measurements of those that run. A sandbox that ends
// meanwhile, or does not answer, keeps what is zero.
func (r *Runtime) Measure(ctx context.Context, list []Sandbox) {
	var all sync.WaitGroup
	for i := range list {
		if list[i].State != "running" {
			continue
		}
		s := &list[i]
		all.Go(func() { r.usage(s) })
		if r.local() {
			all.Go(func() { s.Service, s.Restarts = r.askService(ctx, s.Name) })
		}
	}
	all.Wait()
}

// askService asks the sandbox's first process how its command is.
func (r *Runtime) askService(ctx context.Context, name string) (channel.State, int) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	client, err := r.dial(ctx, filepath.Join(r.options.StateDir, name))
	if err != nil {
		return "", 0
	}
	defer client.Close()
	status, err := client.Status(ctx)
	if err != nil {
		return "", 0
	}
	return status.State, status.Restarts
}

// usage measures memory, processor time and age.
func (r *Runtime) usage(s *Sandbox) {
	conn, err := r.connect(s.Backend)
	if err != nil {
		return
	}
	dom, err := conn.LookupDomainByName(s.Name)
	if err != nil {
		return
	}
	defer dom.Free()
	began := time.Now()
	before, err := dom.GetInfo()
	if err != nil {
		return
	}
	time.Sleep(sampleTime)
	after, err := dom.GetInfo()
	if err != nil {
		return
	}
	s.CPU = float64(after.CpuTime-before.CpuTime) / float64(time.Since(began))
	s.Memory = memoryUse(dom, s.Backend, after)
	if r.local() {
		s.Uptime = int64(age(mainProcess(dom, s.Name, s.Backend)) / time.Second)
	}
}

// memoryUse is a container's control group's use, and a machine's process's: what
// libvirt calls a machine's memory is how much it may use.
func memoryUse(dom *libvirt.Domain, kind schema.Backend, info *libvirt.DomainInfo) int64 {
	if kind != schema.KVM {
		return int64(info.Memory) * 1024
	}
	stats, err := dom.MemoryStats(uint32(libvirt.DOMAIN_MEMORY_STAT_NR), 0)
	if err != nil {
		return 0
	}
	for _, s := range stats {
		if libvirt.DomainMemoryStatTags(s.Tag) == libvirt.DOMAIN_MEMORY_STAT_RSS {
			return int64(s.Val) * 1024
		}
	}
	return 0
}

// mainProcess is the id of the process that is the sandbox on the host: libvirt's
// controller of a container, which is also the domain's id, or QEMU. It is 0 when
// it cannot be found.
func mainProcess(dom *libvirt.Domain, name string, kind schema.Backend) int {
	if kind == schema.LXC {
		id, err := dom.GetID()
		if err != nil {
			return 0
		}
		return int(id)
	}
	text, err := os.ReadFile("/run/libvirt/qemu/" + name + ".pid")
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// age is for how long a process has run: its start, in ticks since the system's,
// is the twenty-second field of its stat file (proc_pid_stat(5)).
func age(pid int) time.Duration {
	if pid == 0 {
		return 0
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The second field is the program's name in brackets, with any character.
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	fields := strings.Fields(rest)
	const startTime = 22 - 3
	if len(fields) <= startTime {
		return 0
	}
	start, err := strconv.ParseInt(fields[startTime], 10, 64)
	if err != nil {
		return 0
	}
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	now, err := strconv.ParseFloat(strings.Fields(string(uptime))[0], 64)
	if err != nil {
		return 0
	}
	const ticks = 100 // a second: USER_HZ, the same on every architecture that Go runs on
	return time.Duration((now - float64(start)/ticks) * float64(time.Second))
}
