package load

import (
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/schema/diag"
)

// A few lines may have CUE take any amount of memory, one after the other, within
// what weigh lets pass. The work ends it at the same place on every machine.
func TestHostileWork(t *testing.T) {
	t.Cleanup(settle)
	text := "package p\n\nimport \"list\"\n\na: list.Range(0, 1300, 1)\nb: [for x in a if list.Contains(a, -x-1) {x}]\n"
	_, err := (&Config{Stdin: strings.NewReader(text)}).Load("-")
	list, ok := diag.From(err)
	if !ok || list[0].Code != diag.TooMuch || !strings.Contains(list[0].Message, "1024 MiB of memory in all") {
		t.Error(err)
	}
}

// settle waits for what an evaluation that was left behind yet takes, which would
// count as the next test's.
func settle() {
	taken := func() uint64 {
		sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	for before := taken() - 1<<20; taken() > before+1<<16; time.Sleep(50 * time.Millisecond) {
		before = taken()
	}
}
