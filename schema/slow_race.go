//go:build race

package schema

// slowdown is how much slower than usual this program evaluates: the race detector
// takes several times as long (go.dev/doc/articles/race_detector).
const slowdown = 5
