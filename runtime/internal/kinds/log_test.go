package kinds

import "testing"

// A log of another sandbox whose name begins alike is none of this one's.
func TestLogsOfASandbox(t *testing.T) {
	for _, file := range []string{"web.log", "web.log.0", "web.log.12", "web.log.1.gz"} {
		if !isLogOf(file, "web") {
			t.Errorf("%s is not taken for web's", file)
		}
	}
	for _, file := range []string{"web", "web2.log", "web.log.log", "web.log.1.log", "web.log.", "web.log.gz", "web.log.1x", "web-1.log"} {
		if isLogOf(file, "web") {
			t.Errorf("%s is taken for web's", file)
		}
	}
}
