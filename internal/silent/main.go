// Command silent is a first process for tests that never speaks with its host:
// it sleeps forever or, built with -ldflags "-X main.ends=yes", ends at once.
package main

import "time"

var ends string

func main() {
	if ends == "" {
		time.Sleep(1 << 62)
	}
}
