package plan

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// element is a part of one of libvirt's documents. Unlike libvirtxml's structs
// it holds everything that the document does, so that nothing unknown goes
// unseen.
type element struct {
	name       string
	attributes map[string]string
	text       string
	children   []*element
}

// parse reads a document.
func parse(document string) (*element, error) {
	top := new(element)
	open := []*element{top}
	for d := xml.NewDecoder(strings.NewReader(document)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(top.children) == 1 {
			return top.children[0], nil
		}
		if err != nil {
			return nil, fmt.Errorf("libvirt's XML cannot be read: %w", err)
		}
		inner := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			e := newElement(t)
			inner.children = append(inner.children, e)
			open = append(open, e)
		case xml.EndElement:
			inner.text = strings.TrimSpace(inner.text)
			inner.remove("alias") // libvirt's own name for a device
			open = open[:len(open)-1]
		case xml.CharData:
			inner.text += string(t)
		}
	}
}

func newElement(t xml.StartElement) *element {
	e := &element{name: t.Name.Local, attributes: map[string]string{}}
	for _, a := range t.Attr {
		e.attributes[a.Name.Local] = canonical(a.Value)
	}
	return e
}

// canonical writes an address in the one way that libvirt, too, writes it.
func canonical(value string) string {
	if a, err := netip.ParseAddr(value); err == nil {
		return a.String()
	}
	return value
}

// child is the first one of the name; nil when there is none.
func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// remove takes away the children of the name.
func (e *element) remove(name string) {
	e.children = slices.DeleteFunc(e.children, func(c *element) bool { return c.name == name })
}

// lookup gives an attribute, "@name", or one of a child, "target@dev".
func (e *element) lookup(key string) string {
	name, attribute, _ := strings.Cut(key, "@")
	if name != "" {
		e = e.child(name)
	}
	if e == nil {
		return ""
	}
	return e.attributes[attribute]
}

// words shows an element's content in one line: "type=mount, source dir=/srv".
func (e *element) words() string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(e.attributes)) {
		parts = append(parts, k+"="+e.attributes[k])
	}
	if e.text != "" {
		parts = append(parts, e.text)
	}
	for _, c := range e.children {
		parts = append(parts, strings.TrimSpace(c.name+" "+c.words()))
	}
	if len(parts) == 0 {
		return "present"
	}
	return strings.Join(parts, ", ")
}
