package schema

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// Decode reads a complete profile over the defaults.
func Decode(data []byte) (*Profile, error) {
	p := Defaults()
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, err
	}
	p.fill()
	return p, nil
}

// A Value is one string, number or boolean of a profile.
type Value struct {
	Path  string // as CUE writes it
	Value any    // as encoding/json gives it
}

// Values lists all that a profile says, defaults and all, in the order of the
// paths' names; elements of lists keep theirs.
func (p *Profile) Values() ([]Value, error) {
	data, err := Encode(p)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	return leaves("", tree, nil), nil
}

func leaves(path string, tree any, found []Value) []Value {
	switch t := tree.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(t)) {
			found = leaves(Field(path, name), t[name], found)
		}
	case []any:
		for i, e := range t {
			found = leaves(Elem(path, i), e, found)
		}
	default:
		found = append(found, Value{path, t})
	}
	return found
}
