package kernel_test

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/sbx-dev/sbx/initramfs/boot/kernel"
	"github.com/ulikunitz/xz/lzma"
)

// vmlinux is a small ELF file that looks like a kernel to a loader: one segment
// with code in it that xz's x86 filter has work with, one with notes.
func vmlinux(t testing.TB, machine elf.Machine, note string) []byte {
	return vmlinuxOf(t, machine, note, 64<<10)
}

func vmlinuxOf(t testing.TB, machine elf.Machine, note string, size int) []byte {
	code := make([]byte, size)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range code {
		code[i] = []byte{0xe8, 0xe9, 0, 0xff, byte(random.Uint32())}[random.IntN(5)]
	}
	notes := binary.LittleEndian.AppendUint32(nil, uint32(len(note)+1))
	notes = binary.LittleEndian.AppendUint32(notes, 4)
	notes = binary.LittleEndian.AppendUint32(notes, 18)
	notes = append(notes, note+"\x00entr"...)
	const head = 64 + 2*56
	var b bytes.Buffer
	for _, part := range []any{
		elf.Header64{
			Ident:   [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1},
			Type:    uint16(elf.ET_EXEC),
			Machine: uint16(machine), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2,
		},
		elf.Prog64{Type: uint32(elf.PT_LOAD), Off: head, Filesz: uint64(len(code)), Memsz: uint64(len(code))},
		elf.Prog64{Type: uint32(elf.PT_NOTE), Off: head + uint64(len(code)), Filesz: uint64(len(notes)), Memsz: uint64(len(notes))},
		code, notes,
	} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// bzImage wraps a payload as the kernel's build does, behind one setup sector.
func bzImage(packed []byte) []byte {
	image := make([]byte, 1024+len(packed))
	le := binary.LittleEndian
	image[0x1f1] = 1
	le.PutUint16(image[0x1fe:], 0xaa55)
	copy(image[0x202:], "HdrS")
	le.PutUint16(image[0x206:], 0x20f)
	le.PutUint16(image[0x20e:], 0x100)
	copy(image[0x300:], "6.1.0-test (builder@host) #1 SMP\x00")
	le.PutUint32(image[0x24c:], uint32(len(packed)))
	copy(image[1024:], packed)
	return image
}

// sized appends the uncompressed size, as the kernel's build does.
func sized(packed, plain []byte) []byte {
	return binary.LittleEndian.AppendUint32(packed, uint32(len(plain)))
}

func compressWith[W io.WriteCloser](t testing.TB, plain []byte, open func(io.Writer) (W, error)) []byte {
	var b bytes.Buffer
	w, err := open(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func xzWith(t testing.TB, plain []byte, flags ...string) []byte {
	return packedBy(t, plain, "xz", append([]string{"--stdout", "--threads=1"}, flags...)...)
}

// packedBy has a program pack plain.
func packedBy(t testing.TB, plain []byte, program string, args ...string) []byte {
	cmd := exec.Command(program, args...)
	cmd.Stdin = bytes.NewReader(plain)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	return out
}

// payloads packs plain in every way that a kernel's build may.
func payloads(t testing.TB, plain []byte) map[string][]byte {
	return map[string][]byte{
		"gzip": compressWith(t, plain, func(w io.Writer) (*gzip.Writer, error) { return gzip.NewWriter(w), nil }),
		"xz":   sized(xzWith(t, plain, "--check=crc32", "--lzma2=dict=1MiB"), plain),
		"xz with the x86 filter, in blocks": sized(
			xzWith(t, plain, "--check=crc32", "--block-size=20000", "--x86", "--lzma2=dict=1MiB"), plain),
		"lzma": sized(compressWith(t, plain, lzma.NewWriter), plain),
		"lz4": sized(compressWith(t, plain, func(w io.Writer) (*lz4.Writer, error) {
			z := lz4.NewWriter(w)
			return z, z.Apply(lz4.LegacyOption(true))
		}), plain),
		"zstd":  sized(compressWith(t, plain, func(w io.Writer) (*zstd.Encoder, error) { return zstd.NewWriter(w) }), plain),
		"bzip2": sized(packedBy(t, plain, "bzip2", "--stdout"), plain),
	}
}

func TestVmlinuxOfEveryCompression(t *testing.T) {
	plain := vmlinux(t, elf.EM_X86_64, "Xen")
	for name, packed := range payloads(t, plain) {
		t.Run(name, func(t *testing.T) {
			got, err := kernel.Vmlinux(bzImage(packed))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, plain) {
				t.Error("the unpacked kernel is not the packed one")
			}
		})
	}
	if got, err := kernel.Vmlinux(plain); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("an uncompressed kernel is not left alone: %v", err)
	}
}

func TestRelease(t *testing.T) {
	if got := kernel.Release(bzImage(nil)); got != "6.1.0-test" {
		t.Errorf("Release = %q", got)
	}
	if got := kernel.Release([]byte("MZ")); got != "" {
		t.Errorf("Release of no kernel = %q", got)
	}
}

func TestKernelsThatBootAsTheyAre(t *testing.T) {
	old := bzImage(nil)
	old[0x206] = 7
	for name, image := range map[string][]byte{
		"no PVH note":          bzImage(payloads(t, vmlinux(t, elf.EM_X86_64, "GNU"))["gzip"]),
		"unknown compression":  bzImage([]byte("\x89LZO and so on")),
		"an old boot protocol": old,
	} {
		if _, err := kernel.Vmlinux(image); !errors.Is(err, kernel.ErrNoPVH) {
			t.Errorf("%s: %v, want ErrNoPVH", name, err)
		}
	}
}

func TestDamagedKernels(t *testing.T) {
	plain := vmlinux(t, elf.EM_X86_64, "Xen")
	whole := bzImage(payloads(t, plain)["xz with the x86 filter, in blocks"])
	short := sized(xzWith(t, plain[:len(plain)/2], "--check=crc32"), plain[:len(plain)/2])
	huge := sized(xzWith(t, plain), nil)
	copy(huge[len(huge)-4:], "\xff\xff\xff\xff")
	segments := bytes.Clone(plain)
	binary.LittleEndian.PutUint16(segments[56:], 0xffff)
	for _, c := range []struct {
		name  string
		image []byte
		want  string
	}{
		{"empty", nil, "cut short"},
		{"header only", whole[:600], "cut short"},
		{"cut in the payload", whole[:len(whole)-1000], "cut short"},
		{"cut and its length mended", bzImage(whole[1024 : len(whole)-1000]), "damaged"},
		{"not a kernel", bytes.Repeat([]byte("text "), 1000), "not a Linux kernel"},
		{"half an ELF file", bzImage(short), "cut short"},
		{"an absurd size", bzImage(huge), "damaged"},
		{"an absurd number of segments", segments, "damaged"},
		{"an absurd number of blocks", bzImage(sized(xzWith(t, plain, "--block-size=1000", "--lzma2=dict=1MiB"), plain)), "damaged"},
		{"another machine", bzImage(payloads(t, vmlinux(t, elf.EM_AARCH64, "Xen"))["gzip"]), "not x86-64"},
	} {
		_, err := kernel.Vmlinux(c.image)
		if err == nil || errors.Is(err, kernel.ErrNoPVH) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
}

func FuzzVmlinux(f *testing.F) {
	for _, packed := range payloads(f, vmlinuxOf(f, elf.EM_X86_64, "Xen", 1<<10)) {
		f.Add(bzImage(packed))
	}
	f.Fuzz(func(t *testing.T, image []byte) {
		got, err := kernel.Vmlinux(image)
		if err == nil && !bytes.HasPrefix(got, []byte(elf.ELFMAG)) {
			t.Error("accepted something that is not an ELF file")
		}
		kernel.Release(image)
	})
}
