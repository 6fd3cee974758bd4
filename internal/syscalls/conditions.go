package syscalls

import "golang.org/x/net/bpf"

// What of socket(2) and clone(2) the conditions speak of; the numbers are the same
// on every architecture that sandboxes run on (linux/socket.h, linux/net.h,
// linux/sched.h, linux/personality.h).
const (
	afUnix    = 1
	afInet    = 2
	afInet6   = 10
	afNetlink = 16
	afPacket  = 17

	sockStream    = 1
	sockDgram     = 2
	sockRaw       = 3
	sockSeqpacket = 5
	sockPacket    = 10 // as a type of afInet it is the family afPacket
	sockTypes     = 0xf

	netlinkRoute = 0

	// Every namespace that clone makes, and that unshare makes besides: a time
	// namespace's flag is part of the signal in clone's.
	newNamespaces = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
	newTime       = 0x00000080
)

// personalities are those that change what uname says at most, and the question
// which one it is.
var personalities = []uint32{0x0, 0x8, 0x20000, 0x20008, 0xffffffff}

// What makes a file set-id, and the flags with which open takes a mode (linux/stat.h,
// asm-generic/fcntl.h).
const (
	setID    = 0o6000
	creating = 0o100 | 0o20000000 // O_CREAT, and what O_TMPFILE is beside O_DIRECTORY
)

// modes are the calls that give a file a mode, and which argument it is; creates are
// those that do where the argument before it says so.
var (
	modes   = map[string]int{"chmod": 1, "creat": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2, "mknod": 1, "mknodat": 2}
	creates = map[string]int{"open": 2, "openat": 3}
)

// condition is what decides about a call by its arguments. Its arguments are looked
// at as the kernel does: as many of the lower bits as it takes.
func condition(call string, o opened) []bpf.Instruction {
	if mode, is := modes[call]; is {
		return unlessSet(mode, setID)
	}
	if mode, is := creates[call]; is {
		creates := append(loadArgument(mode-1), bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: creating, SkipFalse: 1})
		return append(append(creates, answer(allow)...), unlessSet(mode, setID)...)
	}
	switch call {
	case "clone":
		return unlessSet(0, newNamespaces)
	case "unshare":
		return unlessSet(0, newNamespaces|newTime)
	case "personality":
		return append(loadArgument(0), oneOf(personalities, answer(allow), answer(eperm))...)
	case "socket":
		return socket(o)
	case "socketpair":
		return append(loadArgument(0), oneOf(append([]uint32{afUnix}, o.families...), answer(allow), answer(eafnosupport))...)
	}
	return answer(eperm)
}

// unlessSet allows a call none of whose flags are set.
func unlessSet(argument int, flags uint32) []bpf.Instruction {
	code := append(loadArgument(argument), bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: flags, SkipTrue: 1})
	return append(append(code, answer(allow)...), answer(eperm)...)
}

// socket decides about a new socket by its family, and within some of those by its
// type or protocol: SOCK_DCCP would have the host load a module that hardly anybody
// uses, and netlink is a door to most of the kernel's network.
func socket(o opened) []bpf.Instruction {
	types := []uint32{sockStream, sockDgram, sockRaw, sockSeqpacket}
	if o.family(afPacket) {
		types = append(types, sockPacket)
	}
	internet := append(loadArgument(1), bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: sockTypes})
	internet = append(internet, oneOf(types, answer(allow), answer(esocktnosupport))...)
	netlink := append(loadArgument(2), oneOf([]uint32{netlinkRoute}, answer(allow), answer(eprotonosupport))...)

	last := ifEqual(afNetlink, netlink, answer(eafnosupport))
	last = ifEqual(afInet6, internet, last)
	last = ifEqual(afInet, internet, last)
	return append(loadArgument(0), oneOf(append([]uint32{afUnix}, o.families...), answer(allow), last)...)
}

// oneOf goes on with then if the value loaded is one of those, else with otherwise.
func oneOf(values []uint32, then, otherwise []bpf.Instruction) []bpf.Instruction {
	for _, v := range values {
		otherwise = ifEqual(v, then, otherwise)
	}
	return otherwise
}

// ifEqual goes on with then if the value loaded is v, else with otherwise. Both end
// with an answer.
func ifEqual(v uint32, then, otherwise []bpf.Instruction) []bpf.Instruction {
	code := []bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: v, SkipTrue: uint8(len(then))}}
	return append(append(code, then...), otherwise...)
}

// loadArgument loads the lower half of a call's argument. The architectures are all
// little-endian.
func loadArgument(n int) []bpf.Instruction {
	return []bpf.Instruction{bpf.LoadAbsolute{Off: uint32(16 + 8*n), Size: 4}} // struct seccomp_data
}
