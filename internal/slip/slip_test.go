package slip

import "testing"

func TestNearest(t *testing.T) {
	words := []string{"compile", "plan", "ps", "run", "up"}
	for _, c := range []struct {
		word string
		most int
		want string
	}{
		{"compil", 2, "compile"}, // a letter dropped
		{"rnu", 1, "run"},        // two swapped
		{"PLAN", 0, "plan"},      // no slip at all
		{"pss", 1, "ps"},
		{"paln", 0, ""}, // more slips than are allowed
		{"x", 2, ""},    // as many slips as the word has letters: anything is near
		{"", 2, ""},
	} {
		if got := Nearest(c.word, words, c.most); got != c.want {
			t.Errorf("Nearest(%q, %d) = %q, want %q", c.word, c.most, got, c.want)
		}
	}
}
