package runtime

import (
	"github.com/sbx-dev/sbx/initramfs/boot/cache"
	"github.com/sbx-dev/sbx/initramfs/boot/kernel"
	"github.com/sbx-dev/sbx/runtime/internal/kvm"
)

// FindKernel finds the kernel of a machine of an architecture ("" is this host's)
// whose profile names this image and module tree, or none.
func (r *Runtime) FindKernel(image, modules, of string) (*kernel.Kernel, error) {
	return kvm.FindKernel(&r.host, image, modules, of)
}

// Cache is where unpacked kernels and initrds are kept between starts.
func (r *Runtime) Cache() (*cache.Cache, error) { return kvm.OpenCache(&r.host) }
