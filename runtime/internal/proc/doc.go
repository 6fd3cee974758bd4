// Package proc reads what the kernel's /proc says of a process: its age, its use, its
// user and its children. What /proc says of this one, it keeps true.
package proc
