// Package cgroup is the control groups of running containers, of both versions: the
// limits that libvirt does not set, out of the container's reach.
package cgroup
