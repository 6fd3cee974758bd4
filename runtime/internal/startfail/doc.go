// Package startfail says why a sandbox's command does not run as it should, with its
// last words and what to do.
package startfail
