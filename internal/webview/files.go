package webview

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
)

// files are the page's own, and noVNC's core as it is released, with its licences.
//
//go:embed page
var files embed.FS

// kinds are the files' kinds, which no configuration of the host's has a say in.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
}

// file serves one of them: they are no secret.
func file(w http.ResponseWriter, r *http.Request) {
	name := path.Join("page", path.Clean(r.URL.Path))
	if r.URL.Path == "/" {
		name = "page/index.html"
	}
	content, err := fs.ReadFile(files, name)
	kind := kinds[path.Ext(name)]
	if err != nil || kind == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(content)
}
