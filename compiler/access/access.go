// Package access says what becomes of an attempt to read, write or run a path inside a
// sandbox, by somebody who is root there: what each of its walls answers, and which line
// of the profile opens it. It looks at what was compiled and at nothing of a host, so
// that what a host decides (whose its files are, what SELinux calls them) is said to be
// the host's.
package access

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/bundle"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// The ways in which a path is tried.
const (
	Read    = "read"
	Write   = "write"
	Execute = "execute"
)

var ways = []string{Read, Write, Execute}

// Syntax is how an attempt is written.
const Syntax = "read|write|execute PATH"

// Attempt is one at a path inside.
type Attempt struct {
	Way  string
	Path string // clean and absolute
}

func (a Attempt) String() string { return a.Way + " " + a.Path }

// Is says whether a text is an attempt, well written or not: its first word is a way, or
// its second a path, which no packet has.
func Is(text string) bool {
	way, at, _ := strings.Cut(strings.TrimSpace(text), " ")
	return slices.Contains(ways, way) || path.IsAbs(strings.TrimSpace(at))
}

// Parse reads an attempt.
func Parse(text string) (Attempt, error) {
	way, at, _ := strings.Cut(strings.TrimSpace(text), " ")
	at = strings.TrimSpace(at)
	if !slices.Contains(ways, way) || !path.IsAbs(at) || strings.ContainsRune(at, 0) {
		return Attempt{}, fmt.Errorf("%q is no attempt at a path: want %s, with an absolute path as the sandbox sees it", text, Syntax)
	}
	return Attempt{way, path.Clean(at)}, nil
}

// Verdict is what a wall, or all of them, say to an attempt.
type Verdict string

// The verdicts.
const (
	Allows  Verdict = "allows"
	Refuses Verdict = "refuses"
	Host    Verdict = "host" // what is on the host decides
)

// The walls.
const (
	Mounts   = "mounts"
	IDs      = "user ids"
	AppArmor = "AppArmor" // where the host enforces it
	SELinux  = "SELinux"  // likewise
)

// Answer is one wall's.
type Answer struct {
	Wall    string   `json:"wall"`
	Verdict Verdict  `json:"verdict"`
	Why     string   `json:"why"`
	Place   string   `json:"path,omitempty"` // in the profile
	Pos     diag.Pos `json:"-"`
}

// Explanation is what becomes of an attempt.
type Explanation struct {
	Profile string
	Attempt Attempt
	Source  string // the host's path of it; "" for none
	Answers []Answer
}

// Decides is the answer that decides: the first wall that refuses, of those that stand
// on every host before those of a module; else the one that leaves it to the host; nil
// where all of them allow.
func (e *Explanation) Decides() *Answer {
	for _, v := range []Verdict{Refuses, Host} {
		i := slices.IndexFunc(e.Answers, func(a Answer) bool { return a.Verdict == v && (v == Refuses || a.Wall == IDs) })
		if i >= 0 {
			return &e.Answers[i]
		}
	}
	return nil
}

// question is an attempt on its way past the walls.
type question struct {
	Attempt
	profile  *schema.Profile
	bundle   *compiler.Bundle
	manifest *manifest.Manifest
	mount    *manifest.Mount // that shows the path; nil for none
	source   string          // the host's path of it
	device   int             // of the profile's devices, the path's; -1 for none
	folder   bool            // it is one that sbx makes, for mounts to stand in
}

// Explain asks every wall of a profile's bundle about an attempt.
func Explain(p *schema.Profile, b *compiler.Bundle, a Attempt) (*Explanation, error) {
	m, err := manifest.Decode(b.File(bundle.ManifestFile))
	if err != nil {
		return nil, err
	}
	q := &question{Attempt: a, profile: p, bundle: b, manifest: m, device: -1}
	by, err := q.find()
	if err != nil {
		return nil, err
	}
	e := &Explanation{Profile: p.Name, Attempt: a, Source: q.source}
	for _, ask := range []func() (Answer, error){func() (Answer, error) { return q.mounts(by), nil }, q.ids, q.appArmor, q.selinux} {
		answer, err := ask()
		if err != nil {
			return nil, err
		}
		if answer.Place != "" {
			answer.Pos = p.Source.Pos(answer.Place)
		}
		e.Answers = append(e.Answers, answer)
	}
	return e, nil
}

// inMachine says whether the path is only inside a machine, of which the host sees
// nothing.
func (q *question) inMachine() bool {
	return q.profile.Backend.BootsKernel() && (q.mount != nil || q.folder) && q.source == ""
}

// onHost is how the host's side is tried: a machine runs what QEMU has read.
func (q *question) onHost() string {
	if q.Way == Execute && q.profile.Backend.BootsKernel() {
		return Read
	}
	return q.Way
}
