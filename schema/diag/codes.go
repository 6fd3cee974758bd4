package diag

import "strings"

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
	Syscalls        = "SBX0055" // a word of syscalls.allow opens nothing

	Together = "SBX0056" // two profiles want the same for themselves
	Circle   = "SBX0057" // sandboxes wait for each other, so that none can start first

	Ulimit = "SBX0058" // a limit of processes that no kernel takes
	Sysctl = "SBX0059" // a setting that a sandbox does not have for itself
	Device = "SBX0060" // a device of the host's that no sandbox is given
	Server = "SBX0061" // a screen that nothing draws

	Unmet    = "SBX0062" // a sandbox is to start after one that there is not
	Schedule = "SBX0063" // no schedule, or a job that stays up

	Socket = "SBX0064" // the two ends of a socket between sandboxes do not meet
)

// The codes of what is wrong with an allow-list that is well-formed.
const (
	FirewallRule  = "SBX0401" // a rule that cannot be resolved or enforced
	RedundantRule = "SBX0402" // a rule that others make needless
	PartialBound  = "SBX0403" // a bound on connections that does not hold for everyone
	SlowFilter    = "SBX0404" // a filter that takes libvirt minutes to install
	Unusable      = "SBX0406" // something is open that the sandbox cannot use
	Endpoint      = "SBX0407" // sockets of the host can be used, and the profile does not say so
	HostRoot      = "SBX0408" // root inside is root on the host
	Told          = "SBX0409" // anyone may learn the host's figures
	Widened       = "SBX0501" // a change that lets a sandbox do more
)

// The codes of what is wrong with a port that a profile publishes.
const (
	Published = "SBX0405" // a published port that does not lead to the sandbox
)

// The codes of what keeps a right profile from being run on a host. Package
// runtime's errors have them (runtime/fault).
const (
	NoLibvirt    = "SBX0510" // there is no libvirt, or it does not let sbx in
	NotRoot      = "SBX0511" // only root can do it
	NoInit       = "SBX0512" // sbx-init, which runs inside, is not there or not usable
	StateFolder  = "SBX0513" // sbx's folder for what sandboxes need is not safe to use
	DiskFull     = "SBX0514" // a file system is full
	NoSandbox    = "SBX0515" // there is no such sandbox, or it does not run
	NameTaken    = "SBX0516" // the name is another one's
	IDsTaken     = "SBX0517" // the host ids are another one's
	Busy         = "SBX0518" // another sbx works on the sandbox
	NoSource     = "SBX0519" // a host path that the profile names is not there
	NotReachable = "SBX0520" // a host path is closed to the one who would use it
	NoPlace      = "SBX0521" // there is no place to mount at inside an exposed folder
	MountedOn    = "SBX0522" // something is mounted where sbx would remove
	NoNetwork    = "SBX0523" // a network or bridge is not there, or does not run
	NotFiltered  = "SBX0524" // libvirt would not filter, or does not
	PortTaken    = "SBX0525" // a port of the host cannot be published on
	NoAccel      = "SBX0526" // no hardware virtualisation
	NoKernel     = "SBX0527" // no kernel to boot, or without a module
	NoSecret     = "SBX0528" // a secret cannot be had
	Limits       = "SBX0529" // a bound cannot be enforced here
	Start        = "SBX0530" // libvirt does not start it
	Failed       = "SBX0531" // it was started, and its command does not run as it should
	OtherVersion = "SBX0532" // a bundle of another sbx
	Elsewhere    = "SBX0533" // the libvirt is another machine's
	Embedded     = "SBX0534" // not without libvirtd
	AppArmor     = "SBX0535" // a sandbox cannot be confined by AppArmor
	OtherArch    = "SBX0536" // something is of another architecture than the machine
	AddressTaken = "SBX0537" // an address is another one's
	SELinux      = "SBX0538" // SELinux's policy does not let a sandbox be what its profile says
	NoTimer      = "SBX0539" // there is no systemd that starts jobs
	HostSettings = "SBX0540" // the host's settings cannot be read, or cannot be kept
	NotGiven     = "SBX0541" // the sandbox whose socket it is does not give it
)

// OfHost says whether a code is of what keeps a profile from being run on a host: all of
// its hundred from NoLibvirt on.
func OfHost(code string) bool { return NoLibvirt <= code && strings.HasPrefix(code, "SBX05") }

// Explanation is what `sbx help CODE` says.
type Explanation struct {
	Code  string
	Title string // what is wrong, in a few words
	Text  string // why that is an error, and what to do
	Wrong string // a line or two that have it; of a host's codes, what sbx says
	Right string // the same, put right, or what to do; empty where it depends
}

// Labels are what stands before Wrong and Right.
func (e Explanation) Labels() (wrong, right string) {
	if OfHost(e.Code) {
		return "It says:", "For instance:"
	}
	return "Wrong:", "Right:"
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
