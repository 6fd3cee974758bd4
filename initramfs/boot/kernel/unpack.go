package kernel

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"
)

// compressions are those that the kernel's build offers and that can be read
// here. The build puts the uncompressed size behind all but gzip, which ends
// with it by itself.
var compressions = []struct {
	magic   string
	trailer int
	reader  func(packed []byte, size int64) (io.Reader, error)
}{
	{"\x1f\x8b", 0, func(b []byte, _ int64) (io.Reader, error) { return gzip.NewReader(bytes.NewReader(b)) }},
	{"\xfd7zXZ\x00", 4, newXZReader},
	{"\x5d\x00\x00", 4, newLZMAReader},
	{"\x02\x21\x4c\x18", 4, func(b []byte, _ int64) (io.Reader, error) { return lz4.NewReader(bytes.NewReader(b)), nil }},
	{"\x28\xb5\x2f\xfd", 4, newZstdReader},
	{"BZh", 4, func(b []byte, _ int64) (io.Reader, error) { return bzip2.NewReader(bytes.NewReader(b)), nil }},
}

// newLZMAReader lowers the dictionary that the header asks for to what the
// output can use, so that a damaged header cannot ask for gigabytes.
func newLZMAReader(b []byte, size int64) (io.Reader, error) {
	if len(b) < lzma.HeaderLen {
		return nil, io.ErrUnexpectedEOF
	}
	head := bytes.Clone(b[:lzma.HeaderLen])
	dictionary := max(min(int64(binary.LittleEndian.Uint32(head[1:])), size), lzma.MinDictCap)
	binary.LittleEndian.PutUint32(head[1:], uint32(dictionary))
	return lzma.ReaderConfig{DictCap: int(dictionary)}.NewReader(io.MultiReader(bytes.NewReader(head), bytes.NewReader(b[len(head):])))
}

func newZstdReader(b []byte, _ int64) (io.Reader, error) {
	// The kernel's build compresses with a window of up to 128 MiB (zstd -22 --ultra).
	d, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderMaxWindow(128<<20), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

// maxRatio bounds how far a kernel's payload may swell; real ones do tenfold.
const maxRatio = 64

// unpack decompresses a bzImage's payload. The size that the image states is
// both the bound on what is read and a check that nothing is missing.
func unpack(packed []byte) ([]byte, error) {
	for _, c := range compressions {
		if !bytes.HasPrefix(packed, []byte(c.magic)) || len(packed) < len(c.magic)+4 {
			continue
		}
		size := binary.LittleEndian.Uint32(packed[len(packed)-4:])
		if int64(size) > min(maxImage, maxRatio*int64(len(packed))) {
			return nil, fmt.Errorf("kernel image is damaged: it states an uncompressed size of %d bytes", size)
		}
		r, err := c.reader(packed[:len(packed)-c.trailer], int64(size))
		if err != nil {
			return nil, fmt.Errorf("kernel image is damaged: %w", err)
		}
		if closer, ok := r.(io.Closer); ok {
			defer closer.Close()
		}
		return readExactly(r, int64(size))
	}
	return nil, fmt.Errorf("unknown compression (first bytes %x): %w", packed[:min(4, len(packed))], ErrNoPVH)
}

// readExactly grows with what arrives rather than trust a stated size.
func readExactly(r io.Reader, size int64) ([]byte, error) {
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, size))
	if err == nil && n < size {
		err = fmt.Errorf("%d bytes of %d: %w", n, size, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, fmt.Errorf("kernel image is damaged: %w", err)
	}
	return b.Bytes(), nil
}
