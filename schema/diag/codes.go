package diag

// The codes of what is wrong with a profile's text and values. They never change
// their meaning; `sbx help CODE` explains each.
const (
	Syntax      = "SBX0001"
	NotFound    = "SBX0002"
	Unreadable  = "SBX0003"
	Import      = "SBX0004"
	Tag         = "SBX0005"
	Embed       = "SBX0006"
	TooMuch     = "SBX0007"
	Reference   = "SBX0008"
	Cycle       = "SBX0009"
	Unknown     = "SBX0010"
	Missing     = "SBX0011"
	WrongType   = "SBX0012"
	NotAllowed  = "SBX0013"
	Conflict    = "SBX0014"
	Incomplete  = "SBX0015"
	ExactlyOne  = "SBX0016"
	TooMany     = "SBX0017"
	Rule        = "SBX0018"
	Malformed   = "SBX0019"
	BadName     = "SBX0020"
	BadPath     = "SBX0021"
	BadSize     = "SBX0022"
	BadAddress  = "SBX0025"
	BadUser     = "SBX0027"
	BadText     = "SBX0034"
	BadDuration = "SBX0029"
	BadNumber   = "SBX0035"
)

// The codes of values that are right by themselves and wrong together.
const (
	Overlap      = "SBX0040"
	Reserved     = "SBX0041"
	MountFields  = "SBX0042"
	OtherBackend = "SBX0043"
	TwoNetworks  = "SBX0044"
	HostAddress  = "SBX0045"
	Gateway      = "SBX0046"
	DHCP         = "SBX0047"
	Subnet       = "SBX0048"
	Peer         = "SBX0049"
	PortRange    = "SBX0050"
	RuleFields   = "SBX0051"
	Twice        = "SBX0052"
	Routes       = "SBX0053"

	RunCapabilities = "SBX0054" // a user is to hold what it cannot, or holds by itself
)

// The codes of what is wrong with an allow-list that is well-formed.
const (
	FirewallRule  = "SBX0401" // a rule that cannot be resolved or enforced
	RedundantRule = "SBX0402" // a rule that others make needless
	PartialBound  = "SBX0403" // a bound on connections that does not hold for everyone
	SlowFilter    = "SBX0404" // a filter that takes libvirt minutes to install
	Unusable      = "SBX0406" // something is open that the sandbox cannot use
	Widened       = "SBX0501" // a change that lets a sandbox do more
)

// The codes of what is wrong with a port that a profile publishes.
const (
	Published = "SBX0405" // a published port that does not lead to the sandbox
)

// Explanation is what `sbx help CODE` says.
type Explanation struct {
	Code  string
	Title string // what is wrong, in a few words
	Text  string // why that is an error, and what to do
	Wrong string // a line or two that have it
	Right string // the same, put right; empty where it depends
}

// Explain finds a code's explanation.
func Explain(code string) (Explanation, bool) {
	for _, e := range Explanations {
		if e.Code == code {
			return e, true
		}
	}
	return Explanation{}, false
}
