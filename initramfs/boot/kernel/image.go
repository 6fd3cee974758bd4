// Package kernel finds a Linux kernel on the host and makes it bootable fast:
// out of a bzImage, as distributions ship it for x86_64, comes the uncompressed
// ELF image that QEMU enters directly through its PVH note, and out of aarch64's
// packed images the Image that it loads as it is.
package kernel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrNoPVH means that a kernel is sound but cannot be entered as an ELF image:
// it has no PVH entry point, or is packed in a way that this package cannot
// read. Such a kernel still boots, more slowly, as the bzImage that it is.
var ErrNoPVH = errors.New("no uncompressed image with a PVH entry point in it")

// maxImage bounds an uncompressed kernel; distributions' are below 100 MiB.
const maxImage = 512 << 20

// Offsets into a bzImage, from Documentation/arch/x86/boot.rst in the kernel.
const (
	setupSectsAt    = 0x1f1
	bootFlagAt      = 0x1fe
	headerMagicAt   = 0x202
	protocolAt      = 0x206
	releaseAt       = 0x20e // relative to 0x200
	payloadOffsetAt = 0x248
	payloadLengthAt = 0x24c
	headerEnd       = 0x250
	payloadProtocol = 0x0208 // the first boot protocol with the payload fields
)

// Bootable takes out of image what QEMU boots fastest. It returns ErrNoPVH, wrapped,
// where that is the image as it is, and another error where it is not a whole kernel.
func Bootable(image []byte) ([]byte, error) {
	if isARM(image) {
		return armImage(image)
	}
	return Vmlinux(image)
}

// Vmlinux takes the uncompressed kernel out of image, which is a bzImage or an
// uncompressed kernel already. It returns ErrNoPVH, wrapped, where the kernel
// should boot as it is, and another error where image is not a whole kernel.
func Vmlinux(image []byte) ([]byte, error) {
	if bytes.HasPrefix(image, []byte(elf.ELFMAG)) {
		return image, checkELF(image)
	}
	packed, err := payload(image)
	if err != nil {
		return nil, err
	}
	vmlinux, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	return vmlinux, checkELF(vmlinux)
}

// payload finds the compressed kernel inside a bzImage.
func payload(image []byte) ([]byte, error) {
	if err := checkHeader(image); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if version := le.Uint16(image[protocolAt:]); version < payloadProtocol {
		return nil, fmt.Errorf("boot protocol %#x: %w", version, ErrNoPVH)
	}
	setup := uint64(image[setupSectsAt])
	if setup == 0 {
		setup = 4 // as the boot protocol says
	}
	start := (setup+1)*512 + uint64(le.Uint32(image[payloadOffsetAt:]))
	end := start + uint64(le.Uint32(image[payloadLengthAt:]))
	if end > uint64(len(image)) {
		return nil, cutShort(end, len(image))
	}
	return image[start:end], nil
}

func checkHeader(image []byte) error {
	switch {
	case len(image) < headerEnd:
		return fmt.Errorf("kernel image is cut short: %d bytes do not hold even its header", len(image))
	case binary.LittleEndian.Uint16(image[bootFlagAt:]) != 0xaa55, string(image[headerMagicAt:headerMagicAt+4]) != "HdrS":
		return errors.New("not a Linux kernel image: neither a bzImage nor an ELF file, as x86_64 has them, nor an Image of aarch64, by itself, gzipped or packed for EFI")
	}
	return nil
}

// Release is the version that a kernel states, as in "6.1.0-56-amd64", which names
// its module tree. A bzImage has it in its header; of an Image of aarch64, the whole
// is needed. It is empty for an image that does not say.
func Release(image []byte) string {
	if isARM(image) {
		boot, err := armImage(image)
		if err != nil {
			return ""
		}
		return armRelease(boot)
	}
	if checkHeader(image) != nil {
		return ""
	}
	at := int(binary.LittleEndian.Uint16(image[releaseAt:])) + 0x200
	if at == 0x200 || at >= len(image) {
		return ""
	}
	text := image[at:min(at+256, len(image))]
	end := bytes.IndexAny(text, " \x00")
	if end < 0 {
		return ""
	}
	return string(text[:end])
}
