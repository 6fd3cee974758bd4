// Package proc reads what the kernel's /proc says of a process: its age, its use, its
// user and its children.
package proc
