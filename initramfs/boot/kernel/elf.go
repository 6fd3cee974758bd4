package kernel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// The bounds on what a header can have this package look at: kernels have about
// five segments, and less than a kilobyte of notes.
const (
	maxSegments = 64
	maxNotes    = 64 << 10
)

// checkELF accepts a 64-bit x86 kernel that is whole and has a PVH note. It reads
// the segments alone: debug/elf would read the sections, too, and copy the name
// of each, which in a hostile file may be as long as the file.
func checkELF(image []byte) error {
	var head elf.Header64
	if err := binary.Read(bytes.NewReader(image), binary.LittleEndian, &head); err != nil {
		return errors.New("the uncompressed kernel is cut short")
	}
	wide := head.Ident[elf.EI_CLASS] == byte(elf.ELFCLASS64) && head.Ident[elf.EI_DATA] == byte(elf.ELFDATA2LSB)
	if machine := elf.Machine(head.Machine); !wide || machine != elf.EM_X86_64 {
		return fmt.Errorf("the kernel is for %v, not x86-64", machine)
	}
	if int(head.Phentsize) != binary.Size(elf.Prog64{}) || head.Phnum > maxSegments || head.Phoff > uint64(len(image)) {
		return fmt.Errorf("the uncompressed kernel is damaged: it states %d segments of %d bytes at %#x", head.Phnum, head.Phentsize, head.Phoff)
	}
	segments := make([]elf.Prog64, head.Phnum)
	if err := binary.Read(bytes.NewReader(image[head.Phoff:]), binary.LittleEndian, segments); err != nil {
		return errors.New("the uncompressed kernel is cut short")
	}
	pvh := false
	for _, segment := range segments {
		end := segment.Off + segment.Filesz
		if end < segment.Off || end > uint64(len(image)) {
			return errors.New("the uncompressed kernel is cut short")
		}
		if elf.ProgType(segment.Type) == elf.PT_NOTE && hasPVHNote(image[segment.Off:min(end, segment.Off+maxNotes)]) {
			pvh = true
		}
	}
	if !pvh {
		return ErrNoPVH
	}
	return nil
}

// hasPVHNote looks for the note "Xen" of type 18 (XEN_ELFNOTE_PHYS32_ENTRY).
func hasPVHNote(notes []byte) bool {
	le := binary.LittleEndian
	for len(notes) >= 12 {
		name, desc := uint64(le.Uint32(notes)), uint64(le.Uint32(notes[4:]))
		kind := le.Uint32(notes[8:])
		size := 12 + (name+3)&^3 + (desc+3)&^3
		if size > uint64(len(notes)) {
			return false
		}
		if kind == 18 && name == 4 && string(notes[12:16]) == "Xen\x00" {
			return true
		}
		notes = notes[size:]
	}
	return false
}
