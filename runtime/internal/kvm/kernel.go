package kvm

import (
	"github.com/sbx-dev/sbx/initramfs/boot/cache"
	"github.com/sbx-dev/sbx/initramfs/boot/kernel"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/inits"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/schema/diag"
)

// cacheLimit bounds the unpacked kernels, initrds and saved machines that are kept, in
// bytes. They are in the state folder so that sandboxes can have hard links to them.
const cacheLimit = 1 << 30

// FindKernel finds the kernel of a machine of an architecture ("" is this host's)
// whose profile names this image and module tree, or none.
func FindKernel(h *kinds.Host, image, modules, of string) (*kernel.Kernel, error) {
	a, err := inits.ArchOf(of)
	if err != nil {
		return nil, err
	}
	if image == "" && modules == "" {
		image, modules = h.Kernel, h.Modules
	}
	found, err := kernel.Find("/", image, modules, a.Name)
	return found, fault.Because(diag.NoKernel, err)
}

// OpenCache opens where unpacked kernels, initrds and saved machines are kept between starts.
func OpenCache(h *kinds.Host) (*cache.Cache, error) {
	dir, err := h.Folder.Make(state.Cache)
	if err != nil {
		return nil, err
	}
	return cache.Open(dir, cacheLimit)
}
