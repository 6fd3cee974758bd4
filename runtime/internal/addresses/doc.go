// Package addresses finds who has an address on a network of this host already, so
// that nobody else is given it.
package addresses
