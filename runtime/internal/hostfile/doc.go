// Package hostfile writes and removes the files that sbx keeps on the host: whole or not
// at all, with their owner and mode, and never through somebody else's link.
package hostfile
