package needs

import (
	"os"
	"testing"
	"testing/fstest"
)

// FuzzLibraries reads any file as a program.
func FuzzLibraries(f *testing.F) {
	f.Add([]byte("#!/bin/sh\n"))
	for _, name := range []string{"/usr/bin/true", "/proc/self/exe"} {
		if program, err := os.ReadFile(name); err == nil && len(program) < 1<<20 {
			f.Add(program)
		}
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		libraries, folders := Libraries(fstest.MapFS{"usr/bin/x": {Data: program}}, "/usr/bin/x")
		size := 0
		for _, text := range append(libraries, folders...) {
			size += len(text)
		}
		if size > 64<<20 {
			t.Errorf("a program of %d bytes names %d libraries and %d folders, of %d bytes", len(program), len(libraries), len(folders), size)
		}
	})
}
