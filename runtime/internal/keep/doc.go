// Package keep is the processes beside a sandbox: its keeper, which writes its service's
// output to a log and shares its channel, and the holder of an ephemeral one's channel.
package keep
