package compiler_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// libvirtSchemas is where libvirt installs the RELAX NG grammars of its XML.
const libvirtSchemas = "/usr/share/libvirt/schemas"

var grammars = map[string]string{"domain": "domain.rng", "filter": "nwfilter.rng", "outer": "nwfilter.rng", "network": "network.rng"}

// Every XML of every golden archive and shipped profile follows libvirt's own
// grammar.
func TestEveryXMLFollowsLibvirtsGrammar(t *testing.T) {
	needGrammars(t)
	everyDocument(t, func(from string, f txtar.File) { checkGrammar(t, from, f) })
}

// Each capability that the compiler can grant is one that libvirt's grammar knows.
func TestEveryCapabilityFollowsLibvirtsGrammar(t *testing.T) {
	needGrammars(t)
	text, err := os.ReadFile("testdata/every-capability.cue")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range bundleArchive(t, compile(t, loadText(t, "every.cue", text))) {
		checkGrammar(t, "every-capability", f)
	}
}

func needGrammars(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("needs xmllint, of the package libxml2-utils")
	}
	if _, err := os.Stat(libvirtSchemas); err != nil {
		t.Skip("needs libvirt's grammars, of the package libvirt0")
	}
}

func checkGrammar(t *testing.T, from string, f txtar.File) {
	t.Helper()
	base, isXML := strings.CutSuffix(f.Name, ".xml")
	if !isXML {
		return
	}
	kind, _, _ := strings.Cut(base, "-")
	lint := exec.Command("xmllint", "--noout", "--relaxng", filepath.Join(libvirtSchemas, grammars[kind]), "-")
	lint.Stdin = bytes.NewReader(f.Data)
	if out, err := lint.CombinedOutput(); err != nil {
		t.Errorf("%s: %s: %v\n%s\n%s", from, f.Name, err, out, f.Data)
	}
}
