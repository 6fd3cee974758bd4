// Package profiles holds the profiles that ship with sbx.
package profiles

import (
	"embed"
	"io/fs"
)

//go:embed *.cue
var files embed.FS

// FS holds the shipped profiles as NAME.cue.
func FS() fs.FS { return files }
