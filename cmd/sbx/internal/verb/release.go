package verb

import "runtime/debug"

// release is what scripts/version says, where make has built sbx.
var release string

// Version is what sbx was built from: the release that make has linked into it, or
// the module's version, which go install knows; by hand from a checkout, "devel".
func Version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
