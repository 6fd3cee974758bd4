package modules

import (
	"compress/gzip"
	"fmt"
	"io"
	"path"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// maxModule bounds a decompressed module; the largest that distributions ship
// (GPU drivers, with debug data) stay below it.
const maxModule = 256 << 20

// decompress reads a module by its file name's suffix.
func decompress(name string, r io.Reader) ([]byte, error) {
	switch path.Ext(name) {
	case ".ko":
	case ".gz":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		r = z
	case ".xz":
		z, err := xz.NewReader(r)
		if err != nil {
			return nil, err
		}
		r = z
	case ".zst":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	default:
		return nil, fmt.Errorf("unknown compression %q", path.Ext(name))
	}
	content, err := io.ReadAll(io.LimitReader(r, maxModule+1))
	if err == nil && len(content) > maxModule {
		err = fmt.Errorf("larger than %d bytes", maxModule)
	}
	return content, err
}
