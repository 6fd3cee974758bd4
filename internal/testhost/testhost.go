// Package testhost gives tests and the demo a host of their own: a private
// libvirtd with its own network, mounts, processes and control groups, on a
// machine whose own libvirt, bridges and firewall stay untouched.
//
// Everything in the host dies with its first process, which dies with the
// program that asked for it. Nothing stays behind: what the host writes to
// /etc, /srv, /var/lib and /var/log lands on a tmpfs of its own, and its
// control groups are removed at the end. Any number of hosts can run at once.
//
// A test package opts in with
//
//	func TestMain(m *testing.M) { testhost.Main(m) }
//
// or, where its machines boot, testhost.Main(m, guestkernel.Prepare),
// and each test that needs libvirt starts with testhost.Need(t).
package testhost

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Socket is where the private libvirtd listens.
const Socket = "/run/libvirt/libvirt-sock"

// DaemonLog is where the private libvirtd writes what went wrong.
const DaemonLog = "/var/log/libvirt/libvirtd.log"

// programs are what a host cannot do without; each comes from a package that
// scripts/install-packages installs.
var programs = []string{"libvirtd", "virtlogd", "dnsmasq", "ip", "iptables", "ip6tables", "ebtables"}

// Main runs a package's tests, which m.Run runs, inside a host. Where there can
// be none (not root, a program missing, -short) the tests still run, and those
// that call Need are skipped. What is to be fetched for the tests, each of before
// gets first, since a host has no network; its failure is left to the tests that
// need it. Main does not return.
func Main(m interface{ Run() int }, before ...func() error) {
	flag.Parse()
	if os.Getenv(stageVar) == "" && (testing.Short() || Missing() != nil) {
		os.Exit(m.Run())
	}
	if os.Getenv(stageVar) == stageInside {
		os.Exit(m.Run())
	}
	for _, get := range before {
		if err := get(); err != nil {
			fmt.Fprintln(os.Stderr, "testhost:", err)
		}
	}
	code, err := Run(os.Args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testhost:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

// Need skips the test where no host runs, and says why.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv(stageVar) == stageInside {
		return
	}
	if err := Missing(); err != nil {
		t.Skip(err)
	}
	if testing.Short() {
		t.Skip("needs a libvirtd of its own, which -short leaves out")
	}
	t.Fatal("testhost.Need without testhost.Main: give the package a TestMain")
}

// Missing says why no host can run on this machine; nil when one can.
func Missing() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("needs root, to make namespaces and run libvirtd")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("needs the program %s: run scripts/install-packages", p)
		}
	}
	return nil
}
