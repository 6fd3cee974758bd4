package main

import (
	"os"
	"os/exec"
	"strconv"
)

// idle is the argument by which the probe does nothing until it is killed.
const idle = "idle"

// spawn starts n idle processes at once and ends them again. The error is why
// the first that did not start did not.
func spawn(n string) error {
	count, err := strconv.Atoi(n)
	if err != nil {
		return err
	}
	for range count {
		child := exec.Command("/proc/self/exe", idle)
		child.Env = append(os.Environ(), "GOMAXPROCS=1")
		if err := child.Start(); err != nil {
			return err
		}
		defer func() {
			child.Process.Kill()
			child.Wait()
		}()
	}
	return nil
}
