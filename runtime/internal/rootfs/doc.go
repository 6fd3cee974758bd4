// Package rootfs makes a container's root folder on the host: mount points, links and
// nothing else.
package rootfs
