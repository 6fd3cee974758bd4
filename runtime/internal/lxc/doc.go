// Package lxc is containers, as a kind of sandboxes.
package lxc
