package schema

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Encode writes a profile as JSON. encoding/json would change strings that are no
// UTF-8 without a word, and so name other files than were meant: they are an
// error, since a profile is text.
func Encode(p *Profile) ([]byte, error) {
	if err := checkUTF8("", reflect.ValueOf(p)); err != nil {
		return nil, err
	}
	return json.Marshal(p)
}

// checkUTF8 looks at every string below v; path is where v stands, as CUE writes
// it.
func checkUTF8(path string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		return notUTF8(path, v.String())
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return checkUTF8(path, v.Elem())
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := checkUTF8(Elem(path, i), v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for entry := v.MapRange(); entry.Next(); {
			name := entry.Key().String()
			if err := notUTF8(path, name); err != nil {
				return err
			}
			if err := checkUTF8(Field(path, name), entry.Value()); err != nil {
				return err
			}
		}
	case reflect.Struct:
		return checkFields(path, v)
	}
	return nil
}

func checkFields(path string, v reflect.Value) error {
	for i := range v.NumField() {
		within := path
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		switch name {
		case "-":
			continue
		case "": // its fields stand in v's place
		default:
			within = Field(path, name)
		}
		if err := checkUTF8(within, v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func notUTF8(path, s string) error {
	if utf8.ValidString(s) {
		return nil
	}
	return fmt.Errorf("%s: %q is not UTF-8, and a profile is text: it cannot name this", path, s)
}
