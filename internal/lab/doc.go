// Package lab is real Debian hosts for tests: virtual machines with systemd,
// Debian's own libvirtd and its security modules, which nobody has prepared for
// sbx. `make test-hosts` runs every scenario on each of its hosts; by hand it is
//
//	go run ./internal/lab/run -host bookworm scenarios/acceptance.sh
//
// # Scenarios
//
// A scenario is a file of plain shell that a person could type, in named steps:
//
//	# What the scenario shows, in a sentence.
//	# hosts: bookworm trixie
//
//	#: doctor finds nothing to mend
//	sbx doctor
//
//	#! reboot
//
//	#: the service answers again
//	curl -fsS http://10.83.0.80/
//
// "#: NAME" begins a step, which ends where the next one begins. Each step is a
// bash of its own, as root in /root, that stops at the first command that fails
// (set -eu -o pipefail): the step has failed then. The last line of what a step
// prints is shown in the table of results. The steps after a failed one are run
// nevertheless. "#! reboot" restarts the machine, and is a step itself. The disk
// lives as long as the scenario: what a step writes is there after a reboot and
// gone with the scenario, so that the next one begins on a fresh host.
//
// In the machine /lab is a folder shared with the outside. It holds
// sbx as it is here: the packages in /lab/package, those of a later version in
// /lab/package-next, and what make install installs below /lab/root; the shipped
// profiles in /lab/profiles, the probe of the walls with its profile in /lab/tests,
// the programs of this package's folder tools in /lab/tools, and the files of a folder
// that the run is given with -share. There is no network. Processors are emulated
// where this machine has no usable KVM: allow for ten times the time that a command
// takes, and use no bounds of seconds. Software emulation has AMD's virtualisation
// inside, so that such a machine has a /dev/kvm that works, slowly.
//
// docs/hosts.md shows what the steps have come to when the run was told to -record
// it. A step that has changed since, or is new, is shown as such: after a change of
// scenarios, go test ./internal/lab -update.
//
// # Hosts
//
// A [Host] is a suite, packages, words for the kernel's command line and a script
// that is run once in the tree that its image is made of. What can be changed and
// undone by commands (a mode, a daemon's configuration) needs no host of its own:
// it is a scenario's step.
//
// Images are kept in a cache folder, by the digest of what they are made from. They
// do not become older with Debian's updates: the run says from which day they are.
package lab
