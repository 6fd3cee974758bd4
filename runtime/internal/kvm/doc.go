// Package kvm is virtual machines, as a kind of sandboxes.
package kvm
