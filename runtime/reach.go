package runtime

import "github.com/sbx-dev/sbx/schema"

// Reach connects to the libvirt that runs sandboxes of the backend, and tells
// its URI.
func (r *Runtime) Reach(backend schema.Backend) (uri string, err error) {
	if uri, err = r.uri(backend); err != nil {
		return "", err
	}
	_, err = r.connect(backend)
	return uri, err
}

// MayEmbed says whether sbx run goes on without a libvirtd that cannot be
// reached: by libvirt's embedded driver, unless a connection was named.
func (r *Runtime) MayEmbed() bool { return r.options.URI == "" }

// InitPath is the sbx-init that sandboxes get.
func (r *Runtime) InitPath() (string, error) {
	path, err := r.findInit()
	if err != nil {
		return "", err
	}
	return path, checkStatic(path)
}
