package proc

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ReadPID reads a process's id; it is 0 when there is none.
func ReadPID(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// HasArgument says whether a process was started with an argument that begins so.
func HasArgument(pid int, start string) bool {
	line, err := os.ReadFile(Dir(pid) + "/cmdline")
	return err == nil && slices.ContainsFunc(strings.Split(string(line), "\x00"), func(argument string) bool {
		return strings.HasPrefix(argument, start)
	})
}

// Ends says whether a process is about to end: it has given its memory back, and with that
// the arguments that it was started with. One that has begun a program this very moment
// looks alike, whose arguments the kernel has not yet.
func Ends(pid int) bool {
	line, err := os.ReadFile(Dir(pid) + "/cmdline")
	return err == nil && len(line) == 0
}

// Dir is where the kernel tells of a process.
func Dir(pid int) string { return "/proc/" + strconv.Itoa(pid) }

// tick is the unit of times in stat files: USER_HZ, the same on every
// architecture that Go runs on.
const tick = 10 * time.Millisecond

// Fields of a process's stat file, as proc_pid_stat(5) counts them.
const (
	statUserTime   = 14
	statSystemTime = 15
	statStart      = 22
)

// statField is one of those numbers; 0 when the process is gone.
func statField(pid, field int) int64 {
	stat, err := os.ReadFile(Dir(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The second field is the program's name in brackets, with any character.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const first = 3
	if len(fields) <= field-first {
		return 0
	}
	n, err := strconv.ParseInt(fields[field-first], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Age is for how long a process has run; its start is told since the system's.
func Age(pid int) time.Duration {
	start := statField(pid, statStart)
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil || start == 0 {
		return 0
	}
	now, err := strconv.ParseFloat(strings.Fields(string(uptime))[0], 64)
	if err != nil {
		return 0
	}
	return time.Duration(now*float64(time.Second)) - time.Duration(start)*tick
}

// ProcessorTime is how much a process has used.
func ProcessorTime(pid int) time.Duration {
	return time.Duration(statField(pid, statUserTime)+statField(pid, statSystemTime)) * tick
}

// ResidentMemory is what a process has in memory, in bytes.
func ResidentMemory(pid int) int64 {
	text, err := os.ReadFile(Dir(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	const resident = 1 // proc_pid_statm(5)
	if len(fields) <= resident {
		return 0
	}
	pages, err := strconv.ParseInt(fields[resident], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// ProcessUser is whom a process runs as; nil when it is gone.
func ProcessUser(pid int) *uint32 {
	info, err := os.Stat(Dir(pid))
	if err != nil || pid == 0 {
		return nil
	}
	return &info.Sys().(*syscall.Stat_t).Uid
}
