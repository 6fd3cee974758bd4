package nwfilter

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
)

// element is an XML element without its text.
type element struct {
	name     string
	attrs    map[string]string
	children []*element
	text     string
}

// parseXML reads one document of plain elements; anything twice in an element's
// attributes, and any markup beyond elements and comments, is refused.
func parseXML(data []byte) (*element, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	root := &element{}
	stack := []*element{root}
	for {
		token, err := d.Token()
		if err == io.EOF {
			if len(root.children) != 1 {
				return nil, fmt.Errorf("no XML document")
			}
			return root.children[0], nil
		}
		if err != nil {
			return nil, err
		}
		top := stack[len(stack)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if len(stack) > maxDepth {
				return nil, fmt.Errorf("elements nest deeper than %d", maxDepth)
			}
			e := &element{name: t.Name.Local, attrs: map[string]string{}}
			for _, a := range t.Attr {
				if _, twice := e.attrs[a.Name.Local]; twice {
					return nil, fmt.Errorf("attribute %s stands twice in <%s>", a.Name.Local, e.name)
				}
				e.attrs[a.Name.Local] = a.Value
			}
			top.children = append(top.children, e)
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text += string(t)
		case xml.Directive:
			return nil, fmt.Errorf("XML directives are not for filters")
		}
	}
}
