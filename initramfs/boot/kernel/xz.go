package kernel

import (
	"bytes"
	"errors"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// The kernel's build runs its code through xz's x86 filter, which no maintained
// Go library undoes, so the container is read here and only LZMA2 is left to
// the library. Format: https://tukaani.org/xz/xz-file-format.txt

const (
	xzHeaderSize  = 12
	xzFilterLZMA2 = 0x21
	xzFilterX86   = 0x04

	// xzMaxDictionary stands for 128 MiB, the largest that the kernel's build uses.
	xzMaxDictionary = 30

	// xzMaxBlocks bounds the blocks, since each gets a dictionary of its own. xz
	// makes blocks three times as large as the dictionary, or a single one.
	xzMaxBlocks = 16
)

var errXZ = errors.New("xz: damaged or not as the kernel's build writes it")

// xzCheckSizes is the length of a block's check by the type in the header.
var xzCheckSizes = [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

// xzReader reads the blocks of one xz stream.
type xzReader struct {
	in    *bytes.Reader
	size  int64 // of the whole input
	left  int64 // bytes that may still come out
	check int64
	count int // of the blocks so far
	block *bytes.Reader
}

func newXZReader(b []byte, size int64) (io.Reader, error) {
	if len(b) < xzHeaderSize {
		return nil, errXZ
	}
	in := bytes.NewReader(b)
	in.Seek(xzHeaderSize, io.SeekStart)
	return &xzReader{in: in, size: int64(len(b)), left: size, check: int64(xzCheckSizes[b[7]&15]), block: bytes.NewReader(nil)}, nil
}

// Read implements io.Reader.
func (r *xzReader) Read(p []byte) (int, error) {
	for r.block.Len() == 0 {
		data, err := r.next()
		if err != nil {
			return 0, err
		}
		r.block.Reset(data)
	}
	return r.block.Read(p)
}

// next unpacks one block, or returns io.EOF at the index that ends the blocks.
func (r *xzReader) next() ([]byte, error) {
	start := r.size - int64(r.in.Len())
	words, err := r.in.ReadByte()
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if words == 0 {
		return nil, io.EOF
	}
	if r.count++; r.count > xzMaxBlocks {
		return nil, errXZ
	}
	header := make([]byte, int(words)*4+3)
	if _, err := io.ReadFull(r.in, header); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	filters, err := parseXZHeader(header)
	if err != nil {
		return nil, err
	}
	lz, err := lzma.Reader2Config{DictCap: int(max(min(filters.dictionary, r.left), lzma.MinDictCap))}.NewReader2(r.in)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(lz, r.left+1))
	if err != nil {
		return nil, err
	}
	if r.left -= int64(len(data)); r.left < 0 {
		return nil, errXZ
	}
	used := r.size - int64(r.in.Len()) - start
	r.in.Seek((4-used%4)%4+r.check, io.SeekCurrent)
	if filters.x86 {
		undoX86(data)
	}
	return data, nil
}

// xzFilters is what a block has been through.
type xzFilters struct {
	x86        bool
	dictionary int64 // bytes
}

// parseXZHeader reads a block's header behind its first byte.
func parseXZHeader(h []byte) (f xzFilters, err error) {
	in := bytes.NewReader(h[1 : len(h)-4]) // without the flags and the CRC
	for _, present := range []byte{0x40, 0x80} {
		if h[0]&present != 0 {
			if _, err := readVarint(in); err != nil { // a size that is not needed
				return f, err
			}
		}
	}
	for range int(h[0]&3) + 1 {
		id, err := readVarint(in)
		if err != nil {
			return f, err
		}
		length, err := readVarint(in)
		if err != nil || length > uint64(in.Len()) {
			return f, errXZ
		}
		properties := make([]byte, length)
		in.Read(properties)
		switch {
		case id == xzFilterX86 && length == 0:
			f.x86 = true
		case id == xzFilterLZMA2 && length == 1 && properties[0] <= xzMaxDictionary:
			f.dictionary = (2 | int64(properties[0]&1)) << (properties[0]/2 + 11)
		default:
			return f, errXZ
		}
	}
	if f.dictionary == 0 {
		return f, errXZ
	}
	return f, nil
}

func readVarint(in *bytes.Reader) (v uint64, err error) {
	for shift := 0; shift < 63; shift += 7 {
		b, err := in.ReadByte()
		if err != nil {
			return 0, errXZ
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, nil
		}
	}
	return 0, errXZ
}
