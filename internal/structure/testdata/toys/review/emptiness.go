package review

import "github.com/sbx-dev/sbx/schema"

// emptiness lists where nothing is.
func emptiness(p *schema.Profile) (out []item) {
	for _, at := range keys(p.Mounts) {
		if p.Mounts[at].Empty {
			out = append(out, item{text: "nothing at " + at, path: schema.Field("mounts", at)})
		}
	}
	return out
}
