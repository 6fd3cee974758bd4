// Package learn draws from what a sandbox was seen to do how its profile could fit it
// better, in both directions: what it was refused and could be opened, and what is open
// and was not used. It is pure: what the host has is asked of a file system that is handed
// in, and nothing is taken. What it proposes is the least that would have let the sandbox
// do what it tried; whether it should is a person's to decide.
package learn

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/observed"
	"github.com/sbx-dev/sbx/schema"
)

// Proposal is one change to the profile.
type Proposal struct {
	// Path is, of what is to be opened, the list or struct that gets Value, and of what
	// is to be closed, what goes: as CUE writes it.
	Path   string `json:"path"`
	Value  string `json:"value,omitempty"` // in CUE
	Reason string `json:"reason"`
}

// Note is what was seen and leads to no change by itself.
type Note struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Result is all that was learned.
type Result struct {
	Open  []Proposal `json:"open"`  // was refused
	Close []Proposal `json:"close"` // was not used
	Notes []Note     `json:"notes"`
}

// Case is what conclusions are drawn from.
type Case struct {
	Profile      *schema.Profile
	Policies     []compiler.Policy // of its interfaces
	Record       observed.Record
	Host         fs.ReadLinkFS // the host's files, from its root
	Architecture string        // Go's name of that on which it ran
	Failed       bool          // the command ended by itself, and not well
}

// From draws the conclusions.
func From(c Case) Result {
	s := &student{Case: c, mounts: mountsOf(c.Profile), open: map[string]*found{}, notes: map[string]Note{}}
	s.learnPaths()
	s.learnSockets()
	s.learnPackets()
	s.learnCalls()
	if c.Failed {
		s.note("it failed", "what it did not use until then says nothing of what it would have: mend that, and learn again")
	} else {
		s.learnUnused()
	}
	return s.result()
}

// student is one time that conclusions are drawn.
type student struct {
	Case
	mounts []mount
	open   map[string]*found
	close  []Proposal
	notes  map[string]Note
}

// found is a proposal with all who would have it.
type found struct {
	Proposal
	why  []string
	many int
}

// maxReasons is how many of the sightings that lead to one proposal are told.
const maxReasons = 3

// propose adds a reason to a proposal, which is made by its first.
func (s *student) propose(path, value, format string, args ...any) {
	f := s.open[path+"\x00"+value]
	if f == nil {
		f = &found{Proposal: Proposal{Path: path, Value: value}}
		s.open[path+"\x00"+value] = f
	}
	why := fmt.Sprintf(format, args...)
	if slices.Contains(f.why, why) {
		return
	}
	if f.many++; len(f.why) < maxReasons {
		f.why = append(f.why, why)
	}
}

// unused adds that something can go.
func (s *student) unused(path, format string, args ...any) {
	s.close = append(s.close, Proposal{Path: path, Reason: fmt.Sprintf(format, args...)})
}

// note adds something that leads to no change; of several reasons the first is told.
func (s *student) note(what, format string, args ...any) {
	if _, told := s.notes[what]; !told {
		s.notes[what] = Note{what, fmt.Sprintf(format, args...)}
	}
}

func (s *student) result() Result {
	r := Result{Open: []Proposal{}, Close: append([]Proposal{}, s.close...), Notes: []Note{}}
	for _, f := range s.open {
		if s.covered(f.Proposal) {
			continue
		}
		f.Reason = strings.Join(f.why, "; ")
		if more := f.many - len(f.why); more > 0 {
			f.Reason += fmt.Sprintf("; and %d more", more)
		}
		r.Open = append(r.Open, f.Proposal)
	}
	for _, n := range s.notes {
		r.Notes = append(r.Notes, n)
	}
	if s.Record.Lost > 0 {
		r.Notes = append(r.Notes, Note{"more happened than was kept", fmt.Sprintf("%d sightings came after the record was full: what is named as not used may have been", s.Record.Lost)})
	}
	slices.SortFunc(r.Open, func(a, b Proposal) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Value, b.Value)) })
	slices.SortFunc(r.Notes, func(a, b Note) int { return cmp.Compare(a.What, b.What) })
	return r
}

// covered says whether another proposal exposes a folder that holds what this one would.
func (s *student) covered(p Proposal) bool {
	if p.Path != exposeList {
		return false
	}
	for _, other := range s.open {
		if other.Path == exposeList && other.Value != p.Value && strings.HasPrefix(unquote(p.Value), unquote(other.Value)+"/") {
			return true
		}
	}
	return false
}
