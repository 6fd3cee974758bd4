package copytree

import (
	"bytes"
	"io"
	"os"
)

// sparseWriter leaves holes where a file has nothing but zeros for a while.
type sparseWriter struct {
	f     *os.File
	wrote func(n int)
}

// holeSize is the least run of zeros that becomes a hole: a block of common file
// systems.
const holeSize = 4096

var zeros [holeSize]byte

func (w *sparseWriter) Write(p []byte) (n int, err error) {
	for err == nil && n < len(p) {
		part := p[n:min(len(p), n+holeSize)]
		if len(part) == holeSize && bytes.Equal(part, zeros[:]) {
			_, err = w.f.Seek(holeSize, io.SeekCurrent)
		} else {
			part = p[n : n+untilHole(p[n:])]
			_, err = w.f.Write(part)
		}
		if err == nil {
			n += len(part)
		}
	}
	w.wrote(n)
	return n, err
}

// untilHole is how many of p's bytes come before its next block of zeros.
func untilHole(p []byte) int {
	for n := holeSize; n+holeSize <= len(p); n += holeSize {
		if bytes.Equal(p[n:n+holeSize], zeros[:]) {
			return n
		}
	}
	return len(p)
}
