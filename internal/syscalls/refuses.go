package syscalls

import (
	"encoding/binary"

	"golang.org/x/net/bpf"
)

// Name is the call's of a number on an architecture, by Go's name for it; empty where
// there is none.
func Name(architecture string, number int) string {
	a, ok := architectures[architecture]
	if !ok {
		return ""
	}
	return a.SyscallNumbers[number]
}

// Refuser gives a function that says whether the filter that opens the words refuses a
// call with these arguments: it runs the very program that the kernel runs.
func Refuser(architecture string, words []string) (func(call string, args [6]uint64) bool, error) {
	raw, err := Program(architecture, words)
	if err != nil {
		return nil, err
	}
	code, _ := bpf.Disassemble(raw) // all of it is this package's own
	vm, err := bpf.NewVM(code)
	if err != nil {
		return nil, err
	}
	a := architectures[architecture]
	return func(call string, args [6]uint64) bool {
		number, ok := a.SyscallNames[call]
		if !ok {
			return false
		}
		data := make([]byte, 64) // struct seccomp_data, in the order of the package's machine
		binary.BigEndian.PutUint32(data[0:], uint32(number))
		binary.BigEndian.PutUint32(data[4:], uint32(a.ID))
		for i, arg := range args {
			binary.BigEndian.PutUint32(data[16+8*i:], uint32(arg))
			binary.BigEndian.PutUint32(data[20+8*i:], uint32(arg>>32))
		}
		answer, err := vm.Run(data)
		return err == nil && uint32(answer) != allow
	}, nil
}

// Word is what a profile writes to open a call: the group that it is worth nothing
// without, or its own name.
func Word(call string) string {
	if g := group(call); g != "" {
		return g
	}
	return call
}
