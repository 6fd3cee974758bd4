package syscalls

import (
	"fmt"
	"maps"
	"slices"

	"golang.org/x/net/bpf"

	"github.com/elastic/go-seccomp-bpf/arch"
)

// The kernel's answers (linux/seccomp.h, asm-generic/errno.h).
const (
	kill            = 0x80000000
	allow           = 0x7fff0000
	refuse          = 0x00050000
	eperm           = refuse | 1
	enosys          = refuse | 38
	eprotonosupport = refuse | 93
	esocktnosupport = refuse | 94
	eafnosupport    = refuse | 97
)

// Program writes the filter for an architecture, by Go's name for it. words are
// what is open besides what is open to everyone. A call in the way of another
// architecture, which the same processor may know, ends the process: it would be
// another one by the same number. Those of amd64's x32 have numbers of their own, and
// do not exist.
func Program(architecture string, words []string) ([]bpf.RawInstruction, error) {
	a, ok := architectures[architecture]
	if !ok {
		return nil, fmt.Errorf("there is no list of system calls for the architecture %s", architecture)
	}
	o, err := open(words)
	if err != nil {
		return nil, err
	}
	const numberAt, architectureAt = 0, 4 // struct seccomp_data
	code := []bpf.Instruction{
		bpf.LoadAbsolute{Off: architectureAt, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(a.ID), SkipTrue: 1},
		bpf.RetConstant{Val: kill},
		bpf.LoadAbsolute{Off: numberAt, Size: 4},
	}
	return bpf.Assemble(append(code, search(spans(a, o))...))
}

// opened is what words open.
type opened struct {
	calls    map[string]bool
	families []uint32
}

func (o opened) family(f uint32) bool { return slices.Contains(o.families, f) }

func open(words []string) (opened, error) {
	o := opened{calls: map[string]bool{}}
	for _, w := range words {
		switch g := lookup(w); {
		case g != nil:
			for _, name := range g.calls {
				o.calls[name] = true
			}
			o.families = append(o.families, g.families...)
		case isCall(w):
			o.calls[w] = true
		default:
			return o, fmt.Errorf("%q is neither a system call nor a group of them", w)
		}
	}
	return o, nil
}

// Open says whether the words open the call.
func Open(words []string, call string) bool {
	o, err := open(words)
	return err == nil && (allowed[call] || o.calls[call])
}

// decide is the code that decides about a call.
func decide(name string, o opened) []bpf.Instruction {
	switch {
	case allowed[name], o.calls[name]:
		return answer(allow)
	case conditional[name]:
		return condition(name, o)
	case refused[name]:
		return answer(eperm)
	}
	return answer(enosys)
}

func answer(value uint32) []bpf.Instruction { return []bpf.Instruction{bpf.RetConstant{Val: value}} }

// span is a run of calls, by their numbers, about which the same is decided. It
// ends where the next one begins.
type span struct {
	first uint32
	code  []bpf.Instruction
}

// spans divides all numbers there are; those that are nobody's do not exist.
func spans(a *arch.Info, o opened) []span {
	list := []span{{0, answer(enosys)}}
	add := func(first uint32, code []bpf.Instruction) {
		switch last := &list[len(list)-1]; {
		case slices.Equal(last.code, code):
		case last.first == first:
			last.code = code
		default:
			list = append(list, span{first, code})
		}
	}
	next := 0
	for _, n := range slices.Sorted(maps.Keys(a.SyscallNumbers)) {
		if n > next {
			add(uint32(next), answer(enosys))
		}
		add(uint32(n), decide(a.SyscallNumbers[n], o))
		next = n + 1
	}
	add(uint32(next), answer(enosys))
	return list
}

// search finds a call's span by halves.
func search(list []span) []bpf.Instruction {
	if len(list) == 1 {
		return list[0].code
	}
	half := len(list) / 2
	low, high := search(list[:half]), search(list[half:])
	var code []bpf.Instruction
	if len(low) <= 0xff {
		code = append(code, bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: list[half].first, SkipTrue: uint8(len(low))})
	} else { // farther than a comparison can jump
		code = append(code, bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: list[half].first, SkipFalse: 1}, bpf.Jump{Skip: uint32(len(low))})
	}
	return append(append(code, low...), high...)
}
