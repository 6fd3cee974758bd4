package diag

// The codes of what is wrong with a profile's text and values. They never change
// their meaning; `sbx help CODE` explains each.
const (
	Syntax     = "SBX0001"
	NotFound   = "SBX0002"
	Unreadable = "SBX0003"
	Import     = "SBX0004"
	Tag        = "SBX0005"
	Embed      = "SBX0006"
	TooMuch    = "SBX0007"
	Reference  = "SBX0008"
	Cycle      = "SBX0009"
	Unknown    = "SBX0010"
	Missing    = "SBX0011"
	WrongType  = "SBX0012"
	NotAllowed = "SBX0013"
	Conflict   = "SBX0014"
	Incomplete = "SBX0015"
	ExactlyOne = "SBX0016"
	TooMany    = "SBX0017"
	Rule       = "SBX0018"
	Malformed  = "SBX0019"
)

// The codes of what is wrong with an allow-list that is well-formed.
const (
	FirewallRule  = "SBX0401" // a rule that cannot be resolved or enforced
	RedundantRule = "SBX0402" // a rule that others make needless
	PartialBound  = "SBX0403" // a bound on connections that does not hold for everyone
)
