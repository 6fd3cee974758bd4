package draft

import (
	"path"
	"slices"

	"github.com/sbx-dev/sbx/internal/draft/needs"
	"github.com/sbx-dev/sbx/internal/draft/profile"
)

// maxObjects is how many programs and libraries are looked into.
const maxObjects = 400

// linked is what the libraries of the service's program read of /etc, and libraries
// that are not in /usr.
func (s *service) linked() (all []place) {
	for _, l := range s.objects() {
		for _, read := range needs.ReadBy(path.Base(l.path)) {
			if _, ok := s.stat(read); ok && !under(read, slices.Concat(paths(all), s.known.Closed)) {
				all = append(all, place{path: read, why: "read by " + path.Base(l.path) + ", which is needed by " + l.why})
			}
		}
		if !under(l.path, []string{"/usr", "/lib", "/lib64", "/bin", "/sbin"}) && !under(l.path, paths(all)) {
			all = append(all, place{path: l.path, why: "needed by " + l.why})
		}
	}
	return all
}

// objects are the shared libraries that the program needs, each with one that needs it.
func (s *service) objects() (all []place) {
	queue := []string{s.argv[0]}
	for i := 0; i < len(queue) && i < maxObjects; i++ {
		needed, folders := s.needs(queue[i])
		for _, n := range needed {
			for _, folder := range slices.Concat(folders, needs.Folders) {
				at := folder + "/" + n
				if _, ok := s.stat(at); !ok {
					continue
				}
				if !slices.Contains(queue, at) {
					queue = append(queue, at)
					all = append(all, place{path: at, why: path.Base(queue[i])})
				}
				break
			}
		}
	}
	return all
}

// needs are the libraries that a file names, and the folders where it wants them.
func (s *service) needs(name string) (libraries, folders []string) {
	if e, ok := s.stat(name); !ok || !e.mode.IsRegular() {
		return nil, nil
	}
	libraries, wanted := needs.Libraries(s.host, name)
	for _, folder := range wanted {
		if folder = profile.Path(folder); folder != "" {
			folders = append(folders, folder)
		}
	}
	return libraries, folders
}
