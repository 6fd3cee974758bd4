package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
)

// DomainFingerprint is the digest of all that Domain compares.
func DomainFingerprint(document string) (string, error) {
	return fingerprint(document, domainRules, tidy)
}

// RunningFingerprint is the digest of all that RunningDomain compares.
func RunningFingerprint(document string) (string, error) {
	return fingerprint(document, runningRules, func(e *element) {
		tidy(e)
		settle(e)
	})
}

// NetworkFingerprint is the digest of all that Network compares.
func NetworkFingerprint(document string) (string, error) {
	return fingerprint(document, networkRules, tidyNetwork)
}

// FilterFingerprint is the digest of all that Filter compares.
func FilterFingerprint(document string) (string, error) {
	filter, err := parse(document)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, l := range sequence(filter) {
		lines = append(lines, l.text)
	}
	filter.children = nil
	return compiler.Digest([]byte(strings.Join(append(lines, filter.words()), "\n"))), nil
}

func fingerprint(document string, r rules, prepare func(*element)) (string, error) {
	e, err := parse(document)
	if err != nil {
		return "", err
	}
	prepare(e)
	var b strings.Builder
	c := &comparison{rules: r}
	c.write(&b, "", e)
	return compiler.Digest([]byte(b.String())), nil
}

// write writes an element without what libvirt fills in. All that comes from the
// document is quoted, so that no two documents are written alike.
func (c *comparison) write(b *strings.Builder, path string, e *element) {
	for _, name := range slices.Sorted(maps.Keys(e.attributes)) {
		if !c.isFilled(path + "@" + name) {
			fmt.Fprintf(b, "%q=%q ", name, e.attributes[name])
		}
	}
	fmt.Fprintf(b, "%q", e.text)
	named := c.byKey(path, e)
	for _, name := range slices.Sorted(maps.Keys(named)) {
		child := named[name]
		if at := join(path, child.name); !c.isFilledElement(at, child) {
			fmt.Fprintf(b, "{%q ", name)
			c.write(b, at, child)
			b.WriteString("}")
		}
	}
}
