package kernel

import "encoding/binary"

// The x86 filter of xz rewrites the operand of every call and jump (opcodes E8
// and E9) from relative to absolute, which compresses better. An operand counts
// only if its top byte is a plausible sign, 00 or FF; opcodes whose operands
// overlap are told apart by a mask of where the last three bytes looked like
// one. Both tables follow from which masks the encoder can leave behind.
var (
	x86Plausible = [8]bool{true, true, true, false, true, false, false, false}
	x86Distance  = [8]int{0, 1, 2, 2, 3, 3, 3, 3} // from the newest earlier opcode, by mask
)

// undoX86 turns absolute operands back into relative ones, in place.
func undoX86(code []byte) {
	mask, last := 0, -1
	for i := 0; i+5 <= len(code); i++ {
		if code[i]&0xfe != 0xe8 {
			continue
		}
		mask = shiftMask(mask, i-last)
		last = i
		blocked := mask != 0 && (!x86Plausible[mask] || isSign(code[i+4-x86Distance[mask]]))
		if blocked || !isSign(code[i+4]) {
			mask = mask<<1 | 1
			continue
		}
		operand := code[i+1 : i+5]
		binary.LittleEndian.PutUint32(operand, relative(binary.LittleEndian.Uint32(operand), uint32(i+5), mask))
		i += 4
	}
}

// shiftMask ages the mask by the bytes since the last opcode.
func shiftMask(mask, gap int) int {
	if gap > 3 {
		return 0
	}
	return mask << (gap - 1) & 7
}

// relative undoes one operand at the instruction's end address next.
func relative(value, next uint32, mask int) uint32 {
	value -= next
	for shift := x86Distance[mask] * 8; mask != 0 && isSign(byte(value>>(24-shift))); {
		value ^= 1<<(32-shift) - 1
		value -= next
	}
	value &= 1<<25 - 1
	return value | -(value & (1 << 24))
}

func isSign(b byte) bool { return b == 0 || b == 0xff }
