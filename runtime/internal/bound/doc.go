// Package bound is a bundle, read and bound to this host: what its documents name here,
// and what is made of the host's own files for it.
package bound
