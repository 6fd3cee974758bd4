package kernel

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/sbx-dev/sbx/internal/arch"
)

// Offsets into an arm64 Image, from Documentation/arch/arm64/booting.rst in the
// kernel, and into an EFI zboot image, from its zboot-header.S.
const (
	armFlagsAt   = 24
	armMagicAt   = 56
	armPEAt      = 60 // also in a zboot image
	armHeaderEnd = 64
	armMagic     = "ARM\x64"

	zbootMagicAt  = 4
	zbootOffsetAt = 8
	zbootSizeAt   = 12
	zbootMagic    = "zimg"
)

// gzipMagic is what a gzipped Image starts with, as older distributions ship it.
const gzipMagic = "\x1f\x8b"

// ArchOf names the architecture of a kernel image by its beginning, "" where that
// does not tell.
func ArchOf(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)) && len(head) >= 20:
		return arch.OfELF(elf.Machine(binary.LittleEndian.Uint16(head[18:])))
	case checkHeader(head) == nil:
		return arch.X86
	case isARMImage(head), isZboot(head) && peMachine(head) == pe.IMAGE_FILE_MACHINE_ARM64:
		return arch.ARM
	case bytes.HasPrefix(head, []byte(gzipMagic)):
		inner := make([]byte, armHeaderEnd)
		r, err := gzip.NewReader(bytes.NewReader(head))
		if err == nil {
			_, err = io.ReadFull(r, inner)
		}
		if err == nil && isARMImage(inner) {
			return arch.ARM
		}
	}
	return ""
}

// isARM says whether it is an image of aarch64 that can be booted, whose ELF file
// cannot.
func isARM(image []byte) bool {
	return ArchOf(image) == arch.ARM && !bytes.HasPrefix(image, []byte(elf.ELFMAG))
}

func isARMImage(image []byte) bool {
	return len(image) >= armHeaderEnd && string(image[armMagicAt:armMagicAt+4]) == armMagic
}

func isZboot(image []byte) bool {
	return len(image) >= armHeaderEnd && string(image[:2]) == "MZ" && string(image[zbootMagicAt:zbootMagicAt+4]) == zbootMagic
}

// armImage takes the uncompressed Image out of what distributions ship: that
// itself, the same gzipped, or packed for EFI (zboot), which QEMU does not unpack
// before version 10.
func armImage(image []byte) ([]byte, error) {
	packed := image
	switch {
	case isARMImage(image):
		return image, checkARM(image)
	case isZboot(image):
		var err error
		if packed, err = zbootPayload(image); err != nil {
			return nil, err
		}
	}
	plain, err := unpack(packed)
	if errors.Is(err, ErrNoPVH) {
		return nil, fmt.Errorf("the kernel is packed in a way that cannot be unpacked (first bytes %x): name another one", packed[:min(4, len(packed))])
	}
	if err != nil {
		return nil, err
	}
	if !isARMImage(plain) {
		return nil, errors.New("not a Linux kernel image for aarch64: what is packed in it is no Image")
	}
	return plain, checkARM(plain)
}

// zbootPayload finds the compressed Image, with the uncompressed size that the
// kernel's build puts behind it: gzip ends with that by itself, and the header
// counts it for gzip alone.
func zbootPayload(image []byte) ([]byte, error) {
	le := binary.LittleEndian
	start := uint64(le.Uint32(image[zbootOffsetAt:]))
	end := start + uint64(le.Uint32(image[zbootSizeAt:]))
	if end > uint64(len(image)) {
		return nil, cutShort(end, len(image))
	}
	if bytes.HasPrefix(image[start:end], []byte(gzipMagic)) {
		return image[start:end], nil
	}
	if end += 4; end > uint64(len(image)) {
		return nil, cutShort(end, len(image))
	}
	return image[start:end], nil
}

func cutShort(end uint64, have int) error {
	return fmt.Errorf("kernel image is cut short: its header speaks of %d bytes, and there are %d", end, have)
}

// checkARM accepts an Image that is whole, as far as its header for EFI tells: its
// own counts memory that is not in the file.
func checkARM(image []byte) error {
	if image[armFlagsAt]&1 != 0 {
		return errors.New("the kernel is big-endian, which no machine of sbx's is")
	}
	end := peEnd(image)
	if end > uint64(len(image)) {
		return cutShort(end, len(image))
	}
	return nil
}

// peHeader is where an image's header for EFI stands, 0 where it has none.
func peHeader(image []byte) int {
	const headerSize = 24 // "PE", two zeros and the file header
	at := uint64(binary.LittleEndian.Uint32(image[armPEAt:]))
	if at+headerSize > uint64(len(image)) || string(image[at:at+4]) != "PE\x00\x00" {
		return 0
	}
	return int(at)
}

func peMachine(image []byte) uint16 {
	at := peHeader(image)
	if at == 0 {
		return 0
	}
	return binary.LittleEndian.Uint16(image[at+4:])
}

// peEnd is where the last of the sections that an image's header for EFI names
// ends, 0 where there is none.
func peEnd(image []byte) (end uint64) {
	at := peHeader(image)
	if at == 0 {
		return 0
	}
	var head pe.FileHeader
	rest := bytes.NewReader(image[at+4:])
	if binary.Read(rest, binary.LittleEndian, &head) != nil || head.NumberOfSections > maxSegments {
		return 0
	}
	rest.Seek(int64(head.SizeOfOptionalHeader), io.SeekCurrent)
	for range head.NumberOfSections {
		var section pe.SectionHeader32
		if binary.Read(rest, binary.LittleEndian, &section) != nil {
			return uint64(len(image)) + 1
		}
		end = max(end, uint64(section.PointerToRawData)+uint64(section.SizeOfRawData))
	}
	return end
}

// armBanner is the beginning of the line that a kernel says first of all. Its
// Image has the release nowhere else.
const armBanner = "Linux version "

// armRelease finds the release in an uncompressed Image.
func armRelease(image []byte) string {
	for {
		at := bytes.Index(image, []byte(armBanner))
		if at < 0 {
			return ""
		}
		image = image[at+len(armBanner):]
		text := image[:min(256, len(image))]
		if end := bytes.IndexByte(text, ' '); end > 0 && isDigit(text[0]) {
			return string(text[:end])
		}
	}
}
