// Command sbx-init is the first process of a sandbox: of a container, or of a
// machine.
package main

func main() {}
