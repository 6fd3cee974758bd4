// Package starting waits for a sandbox's command to be ready, and says why it is not.
package starting
