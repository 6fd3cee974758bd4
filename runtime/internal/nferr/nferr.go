// Package nferr tells the failures of nftables' netlink apart.
package nferr

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// Is says whether a failure is one of codes.
func Is(err error, codes ...unix.Errno) bool {
	return slices.ContainsFunc(codes, func(code unix.Errno) bool { return errors.Is(err, code) })
}

// IsUnable says whether the kernel can have no table of the family: one without nftables
// takes no message for it, and one without nfnetlink not even a connection.
func IsUnable(err error) bool {
	return Is(err, unix.EAFNOSUPPORT, unix.EOPNOTSUPP, unix.EINVAL, unix.EPROTONOSUPPORT)
}
