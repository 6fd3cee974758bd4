//go:build !race

package schema

// slowdown is how much slower than usual this program evaluates.
const slowdown = 1
